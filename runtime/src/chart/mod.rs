//! Line charts as PNG and SVG files.

mod draw;

use std::path::Path;

pub use self::draw::draw;

/// One chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it shows, with its unit.
    pub name: String,
    pub scale: Scale,
    /// Where it ends if no line goes further.
    pub at_least: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    Linear,
    /// From the smallest positive value; what is not positive is drawn there.
    Logarithmic,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

impl Line {
    /// The share of figures that are not above each of them, from 0 to 1.
    pub fn cumulative(name: &str, mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        let count = figures.len() as f64;
        let steps = figures.iter().zip(1_u32..);
        Self {
            name: name.to_owned(),
            points: steps.map(|(figure, rank)| (*figure, f64::from(rank) / count)).collect(),
        }
    }

    /// How much there is at each moment, when each of these adds so much from a moment to another.
    pub fn stacked(name: &str, spans: impl IntoIterator<Item = (f64, f64, u32)>) -> Self {
        let mut changes: Vec<(f64, i64)> = spans
            .into_iter()
            .flat_map(|(from, to, much)| [(from, i64::from(much)), (to, -i64::from(much))])
            .collect();
        // What ends comes before what begins at the same moment.
        changes.sort_by(|left, right| left.0.total_cmp(&right.0).then(left.1.cmp(&right.1)));
        let (mut level, mut points) = (0_i64, vec![(0.0, 0.0)]);
        for (at, change) in changes {
            points.push((at, level as f64));
            level += change;
            points.push((at, level as f64));
        }
        Self {
            name: name.to_owned(),
            points,
        }
    }
}

/// Draws `NAME.png` and `NAME.svg` in a directory. Errors say which file and why.
pub fn draw_both(chart: &Chart, dir: &Path, name: &str) -> Result<(), (std::path::PathBuf, String)> {
    for ending in ["png", "svg"] {
        let path = dir.join(format!("{name}.{ending}"));
        draw(chart, &path).map_err(|why| (path, why))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(scale: Scale) -> Axis {
        Axis {
            name: "x, s".to_owned(),
            scale,
            at_least: 1.0,
        }
    }

    #[test]
    fn what_overlaps_is_added() {
        let line = Line::stacked("n", [(1.0, 3.0, 2), (2.0, 4.0, 1), (3.0, 5.0, 1)]);
        let steps = [
            (0.0, 0.0),
            (1.0, 0.0),
            (1.0, 2.0),
            (2.0, 2.0),
            (2.0, 3.0),
            (3.0, 3.0),
            (3.0, 1.0),
            (3.0, 1.0),
            (3.0, 2.0),
            (4.0, 2.0),
            (4.0, 1.0),
            (5.0, 1.0),
            (5.0, 0.0),
        ];
        assert_eq!(line.points, steps);
        let shares = Line::cumulative("n", vec![3.0, 1.0]).points;
        assert_eq!(shares, [(1.0, 0.5), (3.0, 1.0)]);
    }

    #[test]
    fn charts_are_drawn_with_their_words_even_without_figures() {
        let dir = tempfile::tempdir().unwrap();
        for (name, scale, points) in [
            ("some", Scale::Linear, vec![(0.0, 0.0), (2.0, 1.0)]),
            ("log", Scale::Logarithmic, vec![(0.0, 0.5), (0.001, 0.7), (20.0, 1.0)]),
            ("none", Scale::Logarithmic, vec![]),
        ] {
            let chart = Chart {
                title: "How long".to_owned(),
                x: axis(scale),
                y: axis(Scale::Linear),
                lines: vec![Line {
                    name: "delay".to_owned(),
                    points,
                }],
            };
            draw_both(&chart, dir.path(), name).unwrap();
            let png = std::fs::read(dir.path().join(format!("{name}.png"))).unwrap();
            assert!(
                png.starts_with(b"\x89PNG") && png.len() > 2_000,
                "{name}: {}",
                png.len()
            );
            let svg = std::fs::read_to_string(dir.path().join(format!("{name}.svg"))).unwrap();
            assert!(svg.contains("How long") && svg.contains("delay"), "{name}");
        }
        let chart = Chart {
            title: String::new(),
            x: axis(Scale::Linear),
            y: axis(Scale::Linear),
            lines: vec![],
        };
        let (path, _) = draw_both(&chart, Path::new("/no/such/dir"), "x").unwrap_err();
        assert_eq!(path, Path::new("/no/such/dir/x.png"));
    }
}
