//! The words that stashes and items are made of.

pub(super) const LEAGUES: [&str; 4] = ["Standard", "Hardcore", "Mirage", "Hardcore Mirage"];

pub(super) const ACCOUNTS: [&str; 10] =
    ["Karst", "ÅnnDerTal", "Mire", "Дрейк", "Vesper", "Lorn_", "Quillon", "Ashfall", "Tarn", "Ember"];

pub(super) const TABS: [&str; 8] =
    ["$", "sell", "uniques", "~b/o 10 chaos", "dump 2", "vendas", "~price 1 divine", "maps ≥ t14"];

/// Upstream, this set is open. The last one is invented, so that clients must handle unknown types.
pub(super) const STASH_TYPES: [&str; 9] = [
    "PremiumStash",
    "NormalStash",
    "QuadStash",
    "CurrencyStash",
    "MapStash",
    "FragmentStash",
    "EssenceStash",
    "DivinationCardStash",
    "StandInStash",
];

/// A kind of item: its `frameType`, rarity, category, base type, and the name of a unique one.
pub(super) struct Kind {
    pub(super) frame: u32,
    pub(super) rarity: &'static str,
    pub(super) category: &'static str,
    pub(super) base: &'static str,
    pub(super) unique: &'static str,
    pub(super) size: (u32, u32),
}

const fn kind(
    frame: u32,
    rarity: &'static str,
    category: &'static str,
    base: &'static str,
    unique: &'static str,
    size: (u32, u32),
) -> Kind {
    Kind { frame, rarity, category, base, unique, size }
}

pub(super) const KINDS: [Kind; 12] = [
    kind(0, "Normal", "maps", "Strand Map", "", (1, 1)),
    kind(1, "Magic", "flasks", "Quicksilver Flask", "", (1, 2)),
    kind(1, "Magic", "jewels", "Cobalt Jewel", "", (1, 1)),
    kind(2, "Rare", "armour", "Vaal Gauntlets", "", (2, 2)),
    kind(2, "Rare", "accessories", "Two-Stone Ring", "", (1, 1)),
    kind(2, "Rare", "weapons", "Maelström Staff", "", (2, 4)),
    kind(2, "Rare", "armour", "Conqueror's Helmet", "", (2, 2)),
    kind(3, "Unique", "accessories", "Heavy Belt", "Doryani's Invitation", (2, 1)),
    kind(3, "Unique", "weapons", "Recurve Bow", "Roth's Reach", (2, 4)),
    kind(4, "Gem", "gems", "Leap Slam", "", (1, 1)),
    kind(5, "Currency", "currency", "Chaos Orb", "", (1, 1)),
    kind(6, "DivinationCard", "cards", "The Doctor", "", (1, 1)),
];

pub(super) const RARE_FIRST: [&str; 6] = ["Corpse", "Gale", "Dire", "Rune", "Blight", "Oblivion"];

pub(super) const RARE_LAST: [&str; 6] = ["Grasp", "Coil", "Spell", "Crown", "Veil", "Knuckle"];

/// Each is preceded by a number.
pub(super) const MODIFIERS: [&str; 8] = [
    "% increased Armour",
    " to maximum Life",
    "% to Fire Resistance",
    "% increased Stun and Block Recovery",
    " to Accuracy Rating",
    "% to Chaos Resistance",
    "% increased Global Critical Strike Chance",
    " Life gained for each Enemy hit by Attacks",
];

pub(super) const CURRENCIES: [&str; 6] = ["chaos", "divine", "exa", "alch", "fusing", "mirror"];
