//! Times as Jupyter writes them.

/// Formats Unix microseconds as `YYYY-MM-DDTHH:MM:SS.ffffffZ`: always a fraction and always `Z`, because
/// jupyter_server's gateway client parses exactly `%Y-%m-%dT%H:%M:%S.%fZ` and fails on anything else.
pub fn iso8601(unix_micros: u64) -> String {
    let (seconds, micros) = (unix_micros / 1_000_000, unix_micros % 1_000_000);
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil_from_days(days);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// Year, month and day of the n-th day after 1970-01-01, in the proleptic Gregorian calendar. Years are counted from
/// March so that the leap day comes last; 719 468 days lie between 0000-03-01 and 1970-01-01.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    const DAYS_TO_1970: u64 = 719_468;
    const DAYS_IN_400_YEARS: u64 = 146_097;
    let shifted = days + DAYS_TO_1970;
    let (era, of_era) = (shifted / DAYS_IN_400_YEARS, shifted % DAYS_IN_400_YEARS);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days_are_formatted_with_a_full_fraction() {
        let cases = [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_078_012_799_999_999, "2004-02-28T23:59:59.999999Z"),
            (1_772_323_200_000_001, "2026-03-01T00:00:00.000001Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
        ];
        for (micros, expected) in cases {
            assert_eq!(iso8601(micros), expected);
        }
    }

    #[test]
    fn days_follow_each_other_without_holes_for_eight_centuries() {
        let mut previous = civil_from_days(0);
        for days in 1..300_000 {
            let today = civil_from_days(days);
            let next_day = (previous.0, previous.1, previous.2 + 1) == today;
            let next_month = (previous.0, previous.1 + 1, 1) == today;
            let next_year = (previous.0 + 1, 1, 1) == today && previous.1 == 12;
            assert!(
                next_day || next_month || next_year,
                "{previous:?} is followed by {today:?}"
            );
            previous = today;
        }
    }
}
