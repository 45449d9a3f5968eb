//! The constants of Warcraft Logs: zones, bosses, classes, regions and the wording of its answers.

/// A raid, which the API calls a zone.
#[derive(Debug)]
pub(crate) struct Zone {
    pub(crate) id: u32,
    pub(crate) name: &'static str,
    /// The latest partition, which is the default.
    pub(crate) partition: i64,
    /// Whether its encounters are dungeons, with keystones.
    pub(crate) has_keystones: bool,
    /// In the order of the API.
    pub(crate) encounters: &'static [(u32, &'static str)],
}

/// The raids of the stand-in.
pub(crate) const ZONES: &[Zone] = &[
    Zone {
        id: 26,
        name: "Castle Nathria",
        partition: 2,
        has_keystones: false,
        encounters: &[
            (2398, "Shriekwing"),
            (2418, "Huntsman Altimor"),
            (2383, "Hungering Destroyer"),
            (2402, "Sun King's Salvation"),
            (2405, "Artificer Xy'mox"),
            (2406, "Lady Inerva Darkvein"),
            (2412, "The Council of Blood"),
            (2399, "Sludgefist"),
            (2417, "Stone Legion Generals"),
            (2407, "Sire Denathrius"),
        ],
    },
    Zone {
        id: 28,
        name: "Sanctum of Domination",
        partition: 3,
        has_keystones: false,
        encounters: &[
            (2423, "The Tarragrue"),
            (2433, "The Eye of the Jailer"),
            (2429, "The Nine"),
            (2432, "Remnant of Ner'zhul"),
            (2434, "Soulrender Dormazain"),
            (2430, "Painsmith Raznal"),
            (2436, "Guardian of the First Ones"),
            (2431, "Fatescribe Roh-Kalo"),
            (2422, "Kel'Thuzad"),
            (2435, "Sylvanas Windrunner"),
        ],
    },
    Zone {
        id: 29,
        name: "Sepulcher of the First Ones",
        partition: 1,
        has_keystones: false,
        encounters: &[
            (2512, "Vigilant Guardian"),
            (2540, "Dausegne, the Fallen Oracle"),
            (2553, "Artificer Xy'mox"),
            (2544, "Prototype Pantheon"),
            (2542, "Skolex, the Insatiable Ravener"),
            (2529, "Halondrus the Reclaimer"),
            (2539, "Lihuvim, Principal Architect"),
            (2546, "Anduin Wrynn"),
            (2543, "Lords of Dread"),
            (2549, "Rygelon"),
            (2537, "The Jailer"),
        ],
    },
    Zone {
        id: 25,
        name: "Mythic+ Seasons 1 - 3",
        partition: 3,
        has_keystones: true,
        encounters: &[
            (12291, "De Other Side"),
            (12287, "Halls of Atonement"),
            (12290, "Mists of Tirna Scithe"),
            (12289, "Plaguefall"),
            (12284, "Sanguine Depths"),
            (12285, "Spires of Ascension"),
            (12286, "The Necrotic Wake"),
            (12293, "Theater of Pain"),
        ],
    },
];

impl Zone {
    /// Whether it has this difficulty.
    pub(crate) fn has(&self, difficulty: u32) -> bool {
        if self.has_keystones { difficulty == DUNGEON } else { DIFFICULTIES.contains(&difficulty) }
    }

    /// The size of groups in this difficulty, where it is fixed.
    pub(crate) fn size(&self, difficulty: u32) -> Option<u32> {
        match difficulty {
            HIGHEST_DIFFICULTY => Some(20),
            DUNGEON => Some(5),
            _ => None,
        }
    }

    /// Its difficulties, with their names.
    pub(crate) fn difficulties(&self) -> impl Iterator<Item = (u32, &'static str)> + '_ {
        DIFFICULTY_NAMES.into_iter().filter(|(difficulty, _)| self.has(*difficulty))
    }
}

/// Returns the zone with `id`.
pub(crate) fn zone(id: u32) -> Option<&'static Zone> {
    ZONES.iter().find(|zone| zone.id == id)
}

/// The difficulties of a raid: Looking for Raid, Normal, Heroic, Mythic.
pub(crate) const DIFFICULTIES: [u32; 4] = [1, 3, 4, 5];
/// The only difficulty of dungeons.
const DUNGEON: u32 = 10;
/// The names that the API uses.
const DIFFICULTY_NAMES: [(u32, &str); 5] =
    [(1, "LFR"), (3, "Normal"), (4, "Heroic"), (5, "Mythic"), (DUNGEON, "Dungeon")];
/// The default difficulty.
pub(crate) const HIGHEST_DIFFICULTY: u32 = 5;

/// A class, with the identifiers of Warcraft Logs (they are not the game's).
pub(crate) struct Class {
    /// The spelling in CSS classes and arguments.
    pub(crate) slug: &'static str,
    pub(crate) specs: &'static [&'static str],
}

/// Class 1 comes first.
pub(crate) const CLASSES: [Class; 13] = [
    Class { slug: "DeathKnight", specs: &["Blood", "Frost", "Unholy"] },
    Class { slug: "Druid", specs: &["Balance", "Feral", "Guardian", "Restoration"] },
    Class { slug: "Hunter", specs: &["BeastMastery", "Marksmanship", "Survival"] },
    Class { slug: "Mage", specs: &["Arcane", "Fire", "Frost"] },
    Class { slug: "Monk", specs: &["Brewmaster", "Mistweaver", "Windwalker"] },
    Class { slug: "Paladin", specs: &["Holy", "Protection", "Retribution"] },
    Class { slug: "Priest", specs: &["Discipline", "Holy", "Shadow"] },
    Class { slug: "Rogue", specs: &["Assassination", "Subtlety", "Outlaw"] },
    Class { slug: "Shaman", specs: &["Elemental", "Enhancement", "Restoration"] },
    Class { slug: "Warlock", specs: &["Affliction", "Demonology", "Destruction"] },
    Class { slug: "Warrior", specs: &["Arms", "Fury", "Protection"] },
    Class { slug: "DemonHunter", specs: &["Havoc", "Vengeance"] },
    Class { slug: "Evoker", specs: &["Devastation", "Preservation", "Augmentation"] },
];

/// Whether `spec` of the class with `class_id` is a healer, whose default metric is `hps`.
pub(crate) fn heals(class_id: u32, spec: &str) -> bool {
    matches!(
        (class_id, spec),
        (2 | 9, "Restoration") | (5, "Mistweaver") | (6, "Holy") | (7, "Discipline" | "Holy") | (13, "Preservation")
    )
}

/// A region of the game.
pub(crate) struct Region {
    pub(crate) id: u32,
    pub(crate) compact_name: &'static str,
    pub(crate) name: &'static str,
    pub(crate) slug: &'static str,
    /// The share of players in this region, in percent.
    pub(crate) weight: u32,
}

/// Region 1 comes first.
pub(crate) const REGIONS: [Region; 5] = [
    Region { id: 1, compact_name: "US", name: "United States", slug: "us", weight: 40 },
    Region { id: 2, compact_name: "EU", name: "Europe", slug: "eu", weight: 46 },
    Region { id: 3, compact_name: "KR", name: "Korea", slug: "kr", weight: 5 },
    Region { id: 4, compact_name: "TW", name: "Taiwan", slug: "tw", weight: 5 },
    Region { id: 5, compact_name: "CN", name: "China", slug: "cn", weight: 4 },
];

/// Returned instead of the rankings of a hidden character.
pub(crate) const HIDDEN: &str = r#"{"error":"You do not have permission to see this character's rankings."}"#;
/// Returned instead of rankings if the raid has no such difficulty.
pub(crate) const BAD_DIFFICULTY: &str = r#"{"error":"Invalid difficulty/size specified."}"#;
/// Returned instead of rankings if there is no such raid. The wording is ours: no recording of it exists.
pub(crate) const BAD_ZONE: &str = r#"{"error":"Invalid zone specified."}"#;
/// Returned instead of rankings if the raid has no such partition. The wording is ours: no recording of it exists.
pub(crate) const BAD_PARTITION: &str = r#"{"error":"Invalid partition specified."}"#;
/// The text with which a character that was never classed damages the whole answer.
pub(crate) const NO_CLASS_SET: &str =
    "No class set for this character. Click the Update button in the upper right to establish a class.";

/// The least and the most that one `zoneRankings` costs here, in micro-points. The real prices are not published.
pub(crate) const RANKINGS_COST_MICROS: (u64, u64) = (2_500_000, 4_500_000);
/// The price of a page of reports, and of a report with its ranked characters, in micro-points.
pub(crate) const REPORT_COST_MICROS: u64 = 1_000_000;
/// The price of a query about one raid or one server, in micro-points. (assumed, like the price of a page of reports)
pub(crate) const WORLD_COST_MICROS: u64 = 1_000_000;

/// Rows on a ranking page.
pub(crate) const PAGE_ROWS: usize = 100;
/// The most reports on a page, and the default.
pub(crate) const REPORTS_PER_PAGE: u64 = 100;
/// The lifetime of an access token in seconds, as the real token endpoint states it: about a year.
pub(crate) const TOKEN_SECONDS: u64 = 31_104_000;
