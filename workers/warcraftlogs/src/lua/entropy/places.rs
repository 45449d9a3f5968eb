//! The places of a record that have a model, by number. The file uses the same numbers for its models.

/// A percentile, by level: that of the previous section, or the first section's own.
pub(crate) const PERCENT: usize = 0;
/// Kills of an encounter, by those of the previous one in its section.
pub(crate) const KILLS: usize = 16;
/// The difference of the best and the median, by the mean number of kills.
pub(crate) const MEDIAN: usize = 32;
/// The difference of the best average and the mean of the section's percentiles.
pub(crate) const BEST: usize = 40;
/// The day.
pub(crate) const DAY: usize = 41;
/// The level of the first section.
pub(crate) const LEVEL: usize = 44;
/// The tenths of a percentile.
pub(crate) const PERCENT_TENTHS: usize = 42;
/// The tenths of a median.
pub(crate) const MEDIAN_TENTHS: usize = 43;
/// A spec that differs from the previous one, by class.
pub(crate) const SPEC: usize = 64;
/// The places of extras begin here.
pub(crate) const EXTRAS: usize = 128;
/// How many all-star entries a section has.
pub(crate) const STARS: usize = 128;
/// Whether an encounter has all-star points.
pub(crate) const STARRED: usize = 129;
/// The partition of all-star points.
pub(crate) const PARTITION: usize = 130;
/// The spec of all-star points, by class.
pub(crate) const STAR_SPEC: usize = 160;
/// The level of a keystone, by the score.
pub(crate) const KEY_LEVEL: usize = 192;
/// A score, by the level of the percentile.
pub(crate) const SCORE: usize = 224;
/// All-star points of a section and of an encounter, by the level of the percentile.
pub(crate) const POINTS: [usize; 2] = [256, 272];
/// The world rank of a section and of an encounter, by the level of the percentile.
pub(crate) const WORLD: [usize; 2] = [288, 304];
/// The region rank, by the class of the world rank.
pub(crate) const REGION: usize = 320;
/// The server rank, by the class of the region rank.
pub(crate) const SERVER: usize = 384;
/// Kills of a section's first encounter, by section.
pub(crate) const FIRST_KILLS: usize = 1_000;
/// The next section, by the previous one; 0 is the start, and as a value the end.
pub(crate) const SECTION: usize = 2_000;
/// Which encounters of a section were killed.
pub(crate) const KILLED: usize = 3_000;
/// One more than the last place.
pub(crate) const PLACES: usize = 4_000;

/// Percentiles whose means lie within one step of this width have the same level.
const LEVEL_WIDTH: u32 = 8;
/// One more than the level of 100 percent.
const NO_LEVEL: usize = 13;
/// Scores within one step of this width are one context of the keystone's level.
const SCORE_WIDTH: u32 = 16;
/// Scores of at least this many steps are one context.
const MOST_SCORE: u32 = 31;
/// This many kills and more are one context.
pub(crate) const MOST_KILLS: u32 = 15;
/// This many mean kills and more are one context.
pub(crate) const MOST_MEAN_KILLS: u32 = 7;

/// Number of slots of the model at this place, as a power of two: more where there are many values. Between two
/// refills, a reader takes at most 26 bits.
pub(crate) fn bits(place: usize) -> u32 {
    match place {
        ..KILLS => 9,
        BEST | PERCENT_TENTHS..EXTRAS => 6,
        SECTION..KILLED => 7,
        _ => 8,
    }
}

/// The level of a mean in whole percent: percentiles of one player are close together.
pub(crate) fn level(mean: u32) -> usize {
    (mean / LEVEL_WIDTH) as usize
}

/// The level of one percentile, in steps of which `steps` make a percent; `None` has a level of its own.
pub(crate) fn level_of(percent: Option<u16>, steps: u16) -> usize {
    percent.map_or(NO_LEVEL, |percent| level(u32::from(percent / steps)))
}

/// The place of a keystone's level, by a score in steps of which `steps` make a point.
pub(crate) fn key_level(score: Option<u32>, steps: u16) -> usize {
    KEY_LEVEL + score.map_or(0, |score| (score / u32::from(steps) / SCORE_WIDTH).min(MOST_SCORE)) as usize
}

/// The place of the kills of an encounter of `section`, after an encounter with `previous` kills.
pub(crate) fn kills(section: usize, previous: Option<u32>) -> usize {
    previous.map_or(FIRST_KILLS + section, |kills| KILLS + kills.min(MOST_KILLS) as usize)
}

/// The place of the median of a section with this many cells and kills.
pub(crate) fn median(cells: usize, kills: u64) -> usize {
    MEDIAN + (kills / cells.max(1) as u64).min(u64::from(MOST_MEAN_KILLS)) as usize
}
