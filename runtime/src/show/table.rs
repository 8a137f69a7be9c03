//! Columns as wide as their widest cell.

/// A table with a header line; numbers are no wider than words here, so everything is left-aligned.
pub(super) fn table<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> String {
    let header = header.map(str::to_owned);
    let lines = || std::iter::once(&header).chain(rows);
    let mut widths = [0; N];
    for line in lines() {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in lines() {
        let mut row = String::new();
        for (width, cell) in widths.iter().zip(line) {
            row.push_str(&format!("{cell:<width$}  "));
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [
            ["h1".to_owned(), "über".to_owned()],
            ["host-2".to_owned(), String::new()],
        ];
        assert_eq!(table(["HOST", "X"], &rows), "HOST    X\nh1      über\nhost-2\n");
        assert_eq!(table(["A"], &[]), "A\n");
    }
}
