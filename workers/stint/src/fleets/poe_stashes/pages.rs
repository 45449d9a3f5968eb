//! Whether a stored page is sound.

use std::fs::File;
use std::io::BufReader;

use stint_poe_stashes::page_file::{self, Label};
use stint_poe_stashes::store::PageKey;

/// Reads a page's blob to its end, and compares its label with its name. Files of another kind, such as the parts of an
/// upload, are passed over.
pub(super) fn verify(path: &str, file: File) -> Result<(), String> {
    if !path.ends_with(".json.zst") {
        return Ok(());
    }
    let Label { realm, id, .. } = page_file::verify(BufReader::new(file)).map_err(|error| error.to_string())?;
    let name = PageKey { realm, id }.to_string();
    if name == path { Ok(()) } else { Err(format!("it is the page {name}")) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use stint_poe_stashes::page_file::{Compressor, LEVEL};
    use stint_poe_stashes::store::Realm;

    use super::*;

    #[test]
    fn a_page_under_another_name_is_not_sound() {
        let label = Label::new(Realm::Pc, "1-2-3-4-5".parse().unwrap(), "2026-11-30T10:00:00Z".parse().unwrap());
        let mut compressor = Compressor::new(&label, LEVEL).unwrap();
        assert_eq!(compressor.feed(b"{}").unwrap(), None);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page");
        fs::write(&path, compressor.finish().unwrap().0).unwrap();
        let open = || File::open(&path).unwrap();
        assert_eq!(verify("pc/0/1-2-3-4-5.json.zst", open()), Ok(()));
        assert_eq!(verify("pc/0/9.json.zst", open()), Err("it is the page pc/0/1-2-3-4-5.json.zst".to_owned()));
        fs::write(&path, "no page").unwrap();
        assert!(verify("pc/0/1-2-3-4-5.json.zst", open()).unwrap_err().contains("does not begin with a label"));
        assert_eq!(verify("uploads/1", open()), Ok(()));
    }
}
