-- Stint database, format 2, region EU: generated, so changes to it are lost.
StintDatabases=StintDatabases or {}
local D=StintDatabases["EU"]or{data={}}
StintDatabases["EU"]=D
local S=D.data
S[1]=[==[
!!!"!!!.!!!4
Ann%!
]==]
D.format=2
D.region="EU"
D.updatedAt="2026-11-20"
D.players=1
D.parts=1
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
-- trailer at byte 000000000226
