//! Draws with `plotters`; letters come from a font inside the program, so that pictures are the same on machines without fonts.

use std::error::Error;
use std::path::Path;
use std::sync::Once;

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;

use super::{Axis, Chart, Scale};

const SIZE: (u32, u32) = (960, 540);
const FONT: &str = "sans-serif";

/// Told apart by people who do not see all colours: the first of Okabe and Ito's palette.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// Draws a chart into a file; its ending chooses the format: `svg`, else `png`. Errors say why not.
pub fn draw(chart: &Chart, path: &Path) -> Result<(), String> {
    static FONTS: Once = Once::new();
    FONTS.call_once(|| {
        // Fails for bytes that are no font only.
        let _ = plotters::style::register_font(FONT, FontStyle::Normal, dejavu::sans::regular());
    });
    let drawn = match path.extension().is_some_and(|ending| ending == "svg") {
        true => paint(&SVGBackend::new(path, SIZE).into_drawing_area(), chart),
        false => paint(&BitMapBackend::new(path, SIZE).into_drawing_area(), chart),
    };
    drawn.map_err(|error| error.to_string())
}

fn paint<'a, B>(area: &DrawingArea<B, Shift>, chart: &Chart) -> Result<(), Box<dyn Error + 'a>>
where
    B: DrawingBackend + 'a,
    B::ErrorType: 'static,
{
    let points = || chart.lines.iter().flat_map(|line| line.points.iter().copied());
    let x = span(&chart.x, points().map(|point| point.0));
    let y = span(&chart.y, points().map(|point| point.1));
    match (chart.x.scale, chart.y.scale) {
        (Scale::Linear, Scale::Linear) => lines(area, chart, (x.0..x.1, x.0), (y.0..y.1, y.0)),
        (Scale::Logarithmic, Scale::Linear) => lines(area, chart, ((x.0..x.1).log_scale(), x.0), (y.0..y.1, y.0)),
        (Scale::Linear, Scale::Logarithmic) => lines(area, chart, (x.0..x.1, x.0), ((y.0..y.1).log_scale(), y.0)),
        (Scale::Logarithmic, Scale::Logarithmic) => lines(
            area,
            chart,
            ((x.0..x.1).log_scale(), x.0),
            ((y.0..y.1).log_scale(), y.0),
        ),
    }
}

/// Both axes with the smallest value that each shows.
fn lines<'a, B, X, Y>(
    area: &DrawingArea<B, Shift>,
    chart: &Chart,
    (x, x_from): (X, f64),
    (y, y_from): (Y, f64),
) -> Result<(), Box<dyn Error + 'a>>
where
    B: DrawingBackend + 'a,
    B::ErrorType: 'static,
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    area.fill(&WHITE)?;
    let mut canvas = ChartBuilder::on(area)
        .caption(&chart.title, (FONT, 24))
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(x, y)?;
    canvas
        .configure_mesh()
        .x_desc(&chart.x.name)
        .y_desc(&chart.y.name)
        .x_label_formatter(&|value| number(*value))
        .y_label_formatter(&|value| number(*value))
        .label_style((FONT, 15))
        .axis_desc_style((FONT, 17))
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (line, colour) in chart.lines.iter().zip(COLOURS.iter().cycle()) {
        let points = line.points.iter().map(|(x, y)| (x.max(x_from), y.max(y_from)));
        canvas
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(&line.name)
            .legend(|(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(3)));
    }
    canvas
        .configure_series_labels()
        .label_font((FONT, 16))
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .position(SeriesLabelPosition::LowerRight)
        .draw()?;
    area.present()?;
    Ok(())
}

/// From where to where an axis goes. Never empty: an axis without length cannot be drawn.
fn span(axis: &Axis, values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let end = values.clone().fold(axis.at_least, f64::max);
    match axis.scale {
        Scale::Linear => (0.0, if end > 0.0 { end * 1.03 } else { 1.0 }),
        Scale::Logarithmic => {
            let first = values.filter(|value| *value > 0.0).fold(end, f64::min);
            let from = 10_f64.powf(first.log10().floor());
            (from, (end * 1.1).max(from * 10.0))
        }
    }
}

/// As short as it can be said.
fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 0.01 {
        return format!("{value}");
    }
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_never_empty() {
        let axis = |scale, at_least| Axis {
            name: String::new(),
            scale,
            at_least,
        };
        assert_eq!(span(&axis(Scale::Linear, 0.0), [].into_iter()), (0.0, 1.0));
        assert_eq!(
            span(&axis(Scale::Logarithmic, 1.0), [0.0, 0.002].into_iter()),
            (0.001, 1.1)
        );
        assert_eq!(span(&axis(Scale::Logarithmic, 0.1), [0.1].into_iter()).1, 1.0);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [0.0, 1.0, 2.5, 0.001, 100.0, 0.25].map(number),
            ["0", "1", "2.5", "0.001", "100", "0.25"]
        );
    }
}
