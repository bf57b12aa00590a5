//! Figures as the lines of a markdown table, and their middle.

/// The two lines above the figures: what the columns are, the first of which holds names.
#[must_use]
pub fn header(columns: &[impl AsRef<str>]) -> String {
    format!("{}\n| --- |{}", row(columns), " ---: |".repeat(columns.len() - 1))
}

/// A line.
#[must_use]
pub fn row(cells: &[impl AsRef<str>]) -> String {
    let cells = cells.iter().map(AsRef::as_ref).collect::<Vec<_>>();
    format!("| {} |", cells.join(" | "))
}

/// The middle one of an odd number of figures.
#[must_use]
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures = figures.into_iter().collect::<Vec<_>>();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
