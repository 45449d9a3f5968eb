//! Archives to upload, one for each region: the user unpacks one into `Interface/AddOns`.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::civil::Date;
use serde::Serialize;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::installed::{Addon, addons};
use crate::lua::partial_file::PartialFile;

/// Archives are made once and downloaded often.
const LEVEL: i64 = 9;

/// One region's archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Archive {
    /// `EU`, …
    pub region: String,
    /// The file: `Stint_EU.zip`.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// Writes `Stint_<REGION>.zip` into `target` for each region in `folder`: the core and the region's addon. The same
/// addons give the same bytes: the archive's files have the date of the data. An older archive stays until the new one
/// is complete.
pub fn write_archives(folder: &Path, target: &Path) -> Result<Vec<Archive>> {
    std::fs::create_dir_all(target)
        .with_context(|| format!("cannot create the folder {} for the archives", target.display()))?;
    let (core, regions): (Vec<Addon>, Vec<Addon>) =
        addons(folder)?.into_iter().partition(|addon| addon.region().is_none());
    let archives = regions.iter().filter_map(|addon| Some((addon.region()?, addon)));
    archives
        .map(|(region, addon)| {
            let path = target.join(format!("{}.zip", addon.name));
            let bytes = write(&path, core.iter().chain([addon]), day_of(addon))
                .with_context(|| format!("cannot write the archive {}", path.display()))?;
            Ok(Archive { region: region.to_owned(), path, bytes })
        })
        .collect()
}

fn write<'a>(path: &Path, addons: impl Iterator<Item = &'a Addon>, date: DateTime) -> Result<u64> {
    let (partial_file, file) = PartialFile::create(path.to_owned())?;
    let mut archive = ZipWriter::new(io::BufWriter::new(file));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .last_modified_time(date)
        .unix_permissions(0o644);
    for addon in addons {
        for (name, path) in addon.files() {
            archive.start_file(format!("{}/{name}", addon.name), options)?;
            let mut file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
            io::copy(&mut file, &mut archive)?;
        }
    }
    let mut written = archive.finish()?;
    written.flush()?;
    let file = written.get_ref();
    file.sync_all()?;
    let bytes = file.metadata()?.len();
    partial_file.publish()?;
    Ok(bytes)
}

/// Midnight of the newest day of the data; the first day that an archive can represent if that is unknown.
fn day_of(addon: &Addon) -> DateTime {
    let day = addon.toc.updated_at().and_then(|day| day.parse::<Date>().ok());
    let date = day.and_then(|day| {
        let (year, month, day) =
            (day.year().try_into().ok()?, day.month().try_into().ok()?, day.day().try_into().ok()?);
        DateTime::from_date_and_time(year, month, day, 0, 0, 0).ok()
    });
    date.unwrap_or_default()
}
