//! Tables on the terminal.

/// Rows of a name and cells.
pub struct Table {
    rows: Vec<(String, Vec<String>)>,
}

impl Table {
    pub fn new(title: &str, columns: &[&str]) -> Table {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        Table {
            rows: vec![(title.to_owned(), columns)],
        }
    }

    pub fn row(&mut self, name: &str, cells: impl IntoIterator<Item = String>) {
        self.rows
            .push((format!("  {name}"), cells.into_iter().collect()));
    }

    /// With an empty line before it.
    pub fn print(&self) {
        let first = self
            .rows
            .iter()
            .map(|row| row.0.chars().count())
            .max()
            .unwrap_or(0);
        let columns = self.rows.iter().map(|row| row.1.len()).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.1.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        println!();
        for (name, cells) in &self.rows {
            print!("{name:<first$}");
            for (cell, width) in cells.iter().zip(&widths) {
                print!("  {cell:>width$}");
            }
            println!();
        }
    }
}

/// `a / b` as a cell.
pub fn ratio(a: f64, b: f64) -> String {
    if b > 0.0 {
        format!("{:.3}", a / b)
    } else {
        "-".to_owned()
    }
}
