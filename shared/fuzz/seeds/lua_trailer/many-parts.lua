D.format=2
D.region="EU"
D.updatedAt="2026-11-20"
D.players=1
D.parts=18446744073709551615
D.precision=1
D.median=true
D.kills=true
D.spec=true
D.specs={"Fire"}
D.sections={26,4,"dps"}
D.encounters={[26]={2398}}
D.servers=[==[

	TarrenMill	Tarren Mill	tarren-mill	1
]==]
D.models=[==[
,"#"#~%L!H""8~"f!I"")a!J"#;h~"f!M"",a!e""!a!~*^"":~"f!~5<"""~!D!~5=""!~!D!~?x"""~"f!~JV]==]
