//! The part of the schema that the stand-in serves. Names and types are those of the published schema.

/// A type of the schema, as far as it is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Query,
    RateLimitData,
    CharacterData,
    Character,
    GameFaction,
    Server,
    Region,
    ReportData,
    ReportPagination,
    Report,
    ReportFight,
    Zone,
    WorldData,
    Difficulty,
    Partition,
    Encounter,
    /// A type without fields, by its name in the schema.
    Leaf(&'static str),
}

/// A field of an object.
#[derive(Debug)]
pub(super) struct FieldDefinition {
    pub(super) name: &'static str,
    pub(super) of: Type,
    pub(super) arguments: &'static [(&'static str, Kind)],
}

/// The type of an argument. Every argument may be omitted or null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Float,
    String,
    Boolean,
    Ints,
    Enum(&'static str, &'static [&'static str]),
}

/// `__typename`, which every object has.
pub(super) const TYPENAME: FieldDefinition =
    FieldDefinition { name: "__typename", of: Type::Leaf("String!"), arguments: &[] };

const COMPARE: Kind = Kind::Enum("RankingCompareType", &["Rankings", "Parses"]);
const ROLE: Kind = Kind::Enum("RoleType", &["Any", "DPS", "Healer", "Tank"]);
const TIMEFRAME: Kind = Kind::Enum("RankingTimeframeType", &["Today", "Historical"]);
const KILL_TYPE: Kind = Kind::Enum("KillType", &["All", "Encounters", "Kills", "Trash", "Wipes"]);
/// The metrics that apply to this game.
const METRIC: Kind = Kind::Enum(
    "CharacterPageRankingMetricType",
    &[
        "bossdps",
        "default",
        "dps",
        "hps",
        "krsi",
        "playerscore",
        "playerspeed",
        "tankhps",
        "wdps",
        "points_and_damage",
        "points_and_healing",
    ],
);

const fn leaf(name: &'static str, of: &'static str) -> FieldDefinition {
    FieldDefinition { name, of: Type::Leaf(of), arguments: &[] }
}

const fn object(name: &'static str, of: Type) -> FieldDefinition {
    FieldDefinition { name, of, arguments: &[] }
}

const QUERY: &[FieldDefinition] = &[
    object("characterData", Type::CharacterData),
    object("rateLimitData", Type::RateLimitData),
    object("reportData", Type::ReportData),
    object("worldData", Type::WorldData),
];

const RATE_LIMIT_DATA: &[FieldDefinition] =
    &[leaf("limitPerHour", "Int!"), leaf("pointsSpentThisHour", "Float!"), leaf("pointsResetIn", "Int!")];

const CHARACTER_DATA: &[FieldDefinition] = &[FieldDefinition {
    name: "character",
    of: Type::Character,
    arguments: &[
        ("id", Kind::Int),
        ("name", Kind::String),
        ("serverSlug", Kind::String),
        ("serverRegion", Kind::String),
    ],
}];

const CHARACTER: &[FieldDefinition] = &[
    leaf("canonicalID", "Int!"),
    leaf("claimed", "Boolean"),
    leaf("classID", "Int!"),
    object("faction", Type::GameFaction),
    leaf("guildRank", "Int!"),
    leaf("hidden", "Boolean!"),
    leaf("id", "Int!"),
    leaf("level", "Int!"),
    leaf("name", "String!"),
    object("server", Type::Server),
    FieldDefinition {
        name: "zoneRankings",
        of: Type::Leaf("JSON"),
        arguments: &[
            ("byBracket", Kind::Boolean),
            ("className", Kind::String),
            ("compare", COMPARE),
            ("difficulty", Kind::Int),
            ("includePrivateLogs", Kind::Boolean),
            ("metric", METRIC),
            ("partition", Kind::Int),
            ("role", ROLE),
            ("size", Kind::Int),
            ("specName", Kind::String),
            ("timeframe", TIMEFRAME),
            ("zoneID", Kind::Int),
        ],
    },
];

const GAME_FACTION: &[FieldDefinition] = &[leaf("id", "Int!"), leaf("name", "String!")];

const SERVER: &[FieldDefinition] = &[
    leaf("id", "Int!"),
    leaf("name", "String!"),
    leaf("normalizedName", "String!"),
    leaf("slug", "String!"),
    object("region", Type::Region),
];

const REGION: &[FieldDefinition] =
    &[leaf("id", "Int!"), leaf("compactName", "String!"), leaf("name", "String!"), leaf("slug", "String!")];

const REPORT_DATA: &[FieldDefinition] = &[
    FieldDefinition {
        name: "report",
        of: Type::Report,
        arguments: &[("code", Kind::String), ("allowUnlisted", Kind::Boolean)],
    },
    FieldDefinition {
        name: "reports",
        of: Type::ReportPagination,
        arguments: &[
            ("endTime", Kind::Float),
            ("guildID", Kind::Int),
            ("guildName", Kind::String),
            ("guildServerSlug", Kind::String),
            ("guildServerRegion", Kind::String),
            ("guildTagID", Kind::Int),
            ("userID", Kind::Int),
            ("limit", Kind::Int),
            ("page", Kind::Int),
            ("startTime", Kind::Float),
            ("zoneID", Kind::Int),
            ("gameZoneID", Kind::Int),
        ],
    },
];

const REPORT_PAGINATION: &[FieldDefinition] = &[
    object("data", Type::Report),
    leaf("total", "Int!"),
    leaf("per_page", "Int!"),
    leaf("current_page", "Int!"),
    leaf("from", "Int"),
    leaf("to", "Int"),
    leaf("last_page", "Int!"),
    leaf("has_more_pages", "Boolean!"),
];

const REPORT: &[FieldDefinition] = &[
    leaf("code", "String!"),
    leaf("endTime", "Float!"),
    FieldDefinition {
        name: "fights",
        of: Type::ReportFight,
        arguments: &[
            ("difficulty", Kind::Int),
            ("encounterID", Kind::Int),
            ("fightIDs", Kind::Ints),
            ("killType", KILL_TYPE),
            ("translate", Kind::Boolean),
        ],
    },
    object("rankedCharacters", Type::Character),
    leaf("startTime", "Float!"),
    leaf("title", "String!"),
    leaf("visibility", "String!"),
    object("zone", Type::Zone),
];

const REPORT_FIGHT: &[FieldDefinition] = &[
    leaf("difficulty", "Int"),
    leaf("encounterID", "Int!"),
    leaf("id", "Int!"),
    leaf("kill", "Boolean"),
    leaf("name", "String!"),
];

const ZONE: &[FieldDefinition] = &[
    leaf("id", "Int!"),
    leaf("name", "String!"),
    leaf("frozen", "Boolean!"),
    object("difficulties", Type::Difficulty),
    object("encounters", Type::Encounter),
    object("partitions", Type::Partition),
];

const WORLD_DATA: &[FieldDefinition] = &[
    FieldDefinition { name: "zone", of: Type::Zone, arguments: &[("id", Kind::Int)] },
    FieldDefinition { name: "zones", of: Type::Zone, arguments: &[("expansion_id", Kind::Int)] },
    FieldDefinition {
        name: "server",
        of: Type::Server,
        arguments: &[("id", Kind::Int), ("region", Kind::String), ("slug", Kind::String)],
    },
];

const DIFFICULTY: &[FieldDefinition] = &[leaf("id", "Int!"), leaf("name", "String!"), leaf("sizes", "[Int]")];

const PARTITION: &[FieldDefinition] =
    &[leaf("id", "Int!"), leaf("name", "String!"), leaf("compactName", "String!"), leaf("default", "Boolean!")];

const ENCOUNTER: &[FieldDefinition] = &[leaf("id", "Int!"), leaf("name", "String!")];

/// All types that have fields.
pub(super) const OBJECTS: [Type; 16] = [
    Type::Query,
    Type::RateLimitData,
    Type::CharacterData,
    Type::Character,
    Type::GameFaction,
    Type::Server,
    Type::Region,
    Type::ReportData,
    Type::ReportPagination,
    Type::Report,
    Type::ReportFight,
    Type::Zone,
    Type::WorldData,
    Type::Difficulty,
    Type::Partition,
    Type::Encounter,
];

impl Type {
    /// The name in the schema.
    pub(super) fn name(self) -> &'static str {
        match self {
            Type::Query => "Query",
            Type::RateLimitData => "RateLimitData",
            Type::CharacterData => "CharacterData",
            Type::Character => "Character",
            Type::GameFaction => "GameFaction",
            Type::Server => "Server",
            Type::Region => "Region",
            Type::ReportData => "ReportData",
            Type::ReportPagination => "ReportPagination",
            Type::Report => "Report",
            Type::ReportFight => "ReportFight",
            Type::Zone => "Zone",
            Type::WorldData => "WorldData",
            Type::Difficulty => "Difficulty",
            Type::Partition => "Partition",
            Type::Encounter => "Encounter",
            Type::Leaf(name) => name,
        }
    }

    /// Whether it has no fields.
    pub(super) fn is_leaf(self) -> bool {
        matches!(self, Type::Leaf(_))
    }

    /// Returns the definition of one of its fields.
    pub(super) fn field(self, name: &str) -> Option<&'static FieldDefinition> {
        self.fields().iter().find(|field| field.name == name)
    }

    /// Returns all of its fields.
    pub(super) fn fields(self) -> &'static [FieldDefinition] {
        match self {
            Type::Query => QUERY,
            Type::RateLimitData => RATE_LIMIT_DATA,
            Type::CharacterData => CHARACTER_DATA,
            Type::Character => CHARACTER,
            Type::GameFaction => GAME_FACTION,
            Type::Server => SERVER,
            Type::Region => REGION,
            Type::ReportData => REPORT_DATA,
            Type::ReportPagination => REPORT_PAGINATION,
            Type::Report => REPORT,
            Type::ReportFight => REPORT_FIGHT,
            Type::Zone => ZONE,
            Type::WorldData => WORLD_DATA,
            Type::Difficulty => DIFFICULTY,
            Type::Partition => PARTITION,
            Type::Encounter => ENCOUNTER,
            Type::Leaf(_) => &[],
        }
    }
}

impl Kind {
    /// The name in the schema.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Int => "Int",
            Kind::Float => "Float",
            Kind::String => "String",
            Kind::Boolean => "Boolean",
            Kind::Ints => "[Int]",
            Kind::Enum(name, _) => name,
        }
    }
}

/// A field that the stand-in serves, by its names in the schema.
#[derive(Clone, Debug)]
pub struct ServedField {
    /// The type that has the field.
    pub of: &'static str,
    /// The field.
    pub field: &'static str,
    /// Its arguments.
    pub arguments: Vec<&'static str>,
}

/// Returns every field of every served type.
pub(in crate::warcraftlogs) fn served() -> Vec<ServedField> {
    let served = |of: Type, field: &FieldDefinition| ServedField {
        of: of.name(),
        field: field.name,
        arguments: field.arguments.iter().map(|(name, _)| *name).collect(),
    };
    OBJECTS.into_iter().flat_map(|of| of.fields().iter().map(move |field| served(of, field))).collect()
}
