//! Text in aligned columns.

use std::fmt;

use crate::escape::one_line;

/// The gap between two columns.
const GAP: &str = "  ";

/// Rows of text under headings. A column whose heading begins with `>` is aligned to the right.
pub(crate) struct Table {
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Creates a table with these columns.
    pub(crate) fn new<'a>(headings: impl IntoIterator<Item = &'a str>) -> Table {
        let columns = headings.into_iter();
        let columns = columns.map(|heading| (heading.starts_with('>'), heading.trim_start_matches('>').to_uppercase()));
        let (right, names) = columns.unzip();
        Table { right, rows: vec![names] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| one_line(&cell)).collect());
    }

    /// Returns whether there is no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        (0..self.right.len()).map(width).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).zip(&self.right).map(|((cell, width), right)| {
                if *right { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
            });
            let line = cells.collect::<Vec<_>>().join(GAP);
            writeln!(formatter, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_without_blanks() {
        let mut table = Table::new(["key", ">limit", "state"]);
        table.row(["Ånn".into(), "18,000".into(), String::new()]);
        table.row(["second".into(), "5".into(), "open\n".into()]);
        assert_eq!(table.to_string(), "KEY      LIMIT  STATE\nÅnn     18,000\nsecond       5  open\n");
    }
}
