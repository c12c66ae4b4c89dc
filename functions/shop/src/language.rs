//! The four languages: which one a reader wants, and how each writes numbers, money and dates.

use boxoffice_kernel::{Amount, Currency, Timestamp};

/// A language that the shop speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    En,
    /// German.
    De,
    /// French.
    Fr,
    /// Spanish.
    Es,
}

impl Language {
    /// All of them, in the order in which pages offer them.
    pub const ALL: [Self; 4] = [Self::En, Self::De, Self::Fr, Self::Es];

    /// The ISO 639-1 code.
    pub fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Fr => "fr",
            Self::Es => "es",
        }
    }

    /// Its own name for itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::De => "Deutsch",
            Self::Fr => "Français",
            Self::Es => "Español",
        }
    }

    /// The language of this code, or of a variant of it such as `de-AT`.
    pub fn of(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.code().eq_ignore_ascii_case(primary))
    }

    /// The language that an `Accept-Language` header prefers among ours; English where it names none
    /// ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#name-accept-language)).
    pub fn preferred(header: &str) -> Self {
        let mut best = (0_u16, Self::En);
        for part in header.split(',') {
            let (tag, parameters) = part.split_once(';').unwrap_or((part, ""));
            let Some(language) = Self::of(tag.trim()) else { continue };
            let weight = parameters.trim().strip_prefix("q=").map_or(1000, thousandths);
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }

    /// Whether a count takes the singular ([CLDR](https://www.unicode.org/cldr/charts/latest/supplemental/language_plural_rules.html)): French counts nothing
    /// as one.
    pub fn is_one(self, count: u32) -> bool {
        count == 1 || (self == Self::Fr && count == 0)
    }

    /// A whole number with its groups of thousands apart.
    pub fn number(self, number: u64) -> String {
        let separator = match self {
            Self::En => ",",
            Self::De => ".",
            // Narrow no-break space, and the Spanish Academy's for five digits and more.
            Self::Fr | Self::Es => "\u{202f}",
        };
        let digits = number.to_string();
        if self == Self::Es && digits.len() <= 4 {
            return digits;
        }
        let mut grouped = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                grouped.push_str(separator);
            }
            grouped.push(digit);
        }
        grouped
    }

    /// An amount of money as this language writes it: `€1,299.50` or `1.299,50 €`.
    pub fn money(self, amount: Amount, currency: Currency) -> String {
        let (units, cents) = (self.number(amount.minor() / 100), amount.minor() % 100);
        let symbol = match currency {
            Currency::Eur => "€",
            Currency::Gbp => "£",
            Currency::Usd => "$",
            other => other.code(),
        };
        match self {
            Self::En if symbol.is_ascii() && symbol.len() > 1 => format!("{symbol}\u{a0}{units}.{cents:02}"),
            Self::En => format!("{symbol}{units}.{cents:02}"),
            _ => format!("{units},{cents:02}\u{a0}{symbol}"),
        }
    }

    /// A day and a time of day: `Friday, 1 June 2035, 20:00 UTC`.
    pub fn moment(self, instant: Timestamp) -> String {
        let Calendar { year, month, day, weekday, .. } = Calendar::of(instant);
        let (weekday, month) = (at(&self.weekdays(), weekday), at(&self.months(), month - 1));
        let time = self.time(instant);
        match self {
            Self::En => format!("{weekday}, {day} {month} {year}, {time}"),
            Self::De => format!("{weekday}, {day}. {month} {year}, {time}"),
            Self::Fr if day == 1 => format!("{weekday} 1er {month} {year}, {time}"),
            Self::Fr => format!("{weekday} {day} {month} {year}, {time}"),
            Self::Es => format!("{weekday}, {day} de {month} de {year}, {time}"),
        }
    }

    /// A time of day: `20:41 UTC`.
    pub fn time(self, instant: Timestamp) -> String {
        let Calendar { hour, minute, .. } = Calendar::of(instant);
        let word = if self == Self::De { " Uhr" } else { "" };
        format!("{hour:02}:{minute:02}{word}\u{a0}UTC")
    }

    /// A month in a few letters, as on a calendar's leaf.
    pub fn month_leaf(self, instant: Timestamp) -> String {
        let name = at(&self.months(), Calendar::of(instant).month - 1);
        name.chars().take(if self == Self::Fr { 4 } else { 3 }).collect()
    }

    /// A weekday in a few letters.
    pub fn weekday_leaf(self, instant: Timestamp) -> String {
        at(&self.weekdays(), Calendar::of(instant).weekday).chars().take(if self == Self::De { 2 } else { 3 }).collect()
    }

    fn weekdays(self) -> [&'static str; 7] {
        match self {
            Self::En => ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
            Self::De => ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"],
            Self::Fr => ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"],
            Self::Es => ["lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"],
        }
    }

    fn months(self) -> [&'static str; 12] {
        match self {
            Self::En => [
                "January",
                "February",
                "March",
                "April",
                "May",
                "June",
                "July",
                "August",
                "September",
                "October",
                "November",
                "December",
            ],
            Self::De => [
                "Januar",
                "Februar",
                "März",
                "April",
                "Mai",
                "Juni",
                "Juli",
                "August",
                "September",
                "Oktober",
                "November",
                "Dezember",
            ],
            Self::Fr => [
                "janvier",
                "février",
                "mars",
                "avril",
                "mai",
                "juin",
                "juillet",
                "août",
                "septembre",
                "octobre",
                "novembre",
                "décembre",
            ],
            Self::Es => [
                "enero",
                "febrero",
                "marzo",
                "abril",
                "mayo",
                "junio",
                "julio",
                "agosto",
                "septiembre",
                "octubre",
                "noviembre",
                "diciembre",
            ],
        }
    }
}

/// A weight of `Accept-Language` (`0.8`), in thousandths.
fn thousandths(weight: &str) -> u16 {
    let (units, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    let padded = format!("{units}{decimals:0<3}");
    padded.parse::<u16>().map_or(0, |weight| weight.min(1000))
}

fn at<const N: usize>(names: &[&'static str; N], index: usize) -> &'static str {
    names.get(index).copied().unwrap_or_default()
}

/// An instant's parts in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    /// The year.
    pub year: u32,
    /// From 1.
    pub month: usize,
    /// From 1.
    pub day: u32,
    /// From 0, Monday.
    pub weekday: usize,
    /// From 0.
    pub hour: u32,
    /// From 0.
    pub minute: u32,
}

impl Calendar {
    /// The parts of this instant, by its one spelling (`2035-06-01T20:00:00.000Z`).
    pub fn of(instant: Timestamp) -> Self {
        let spelling = instant.to_string();
        let mut numbers = spelling.split(['-', 'T', ':', '.']).map(|part| part.parse::<u32>().unwrap_or_default());
        let mut next = || numbers.next().unwrap_or_default();
        let (year, month, day, hour, minute) = (next(), next(), next(), next(), next());
        let days = instant.unix_millis().div_euclid(86_400_000);
        // 1970 began on a Thursday.
        let weekday = usize::try_from((days + 3).rem_euclid(7)).unwrap_or_default();
        Self { year, month: usize::try_from(month).unwrap_or(1).max(1), day, weekday, hour, minute }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browsers_first_language_among_ours_is_taken() {
        for (header, language) in [
            ("", Language::En),
            ("de", Language::De),
            ("de-AT,de;q=0.9,en;q=0.8", Language::De),
            ("it,fr-CH;q=0.7,en;q=0.3", Language::Fr),
            ("en;q=0.2, es;q=0.9", Language::Es),
            ("ja, zh", Language::En),
            ("de;q=0, en;q=0.1", Language::En),
            ("fr;q=nonsense, es;q=0.1", Language::Es),
        ] {
            assert_eq!(Language::preferred(header), language, "{header}");
        }
    }

    #[test]
    fn french_counts_nothing_as_one_and_the_others_do_not() {
        for language in Language::ALL {
            assert_eq!(language.is_one(0), language == Language::Fr);
            assert!(language.is_one(1));
            assert!(!language.is_one(2));
        }
    }

    #[test]
    fn money_and_numbers_are_written_as_each_language_writes_them() {
        let amount = Amount::from_minor(123_450).unwrap();
        assert_eq!(Language::En.money(amount, Currency::Eur), "€1,234.50");
        assert_eq!(Language::De.money(amount, Currency::Eur), "1.234,50\u{a0}€");
        assert_eq!(Language::Fr.money(amount, Currency::Usd), "1\u{202f}234,50\u{a0}$");
        assert_eq!(Language::Es.money(amount, Currency::Chf), "1234,50\u{a0}CHF");
        assert_eq!(Language::En.money(amount, Currency::Chf), "CHF\u{a0}1,234.50");
        assert_eq!(Language::Es.number(12_345), "12\u{202f}345");
        assert_eq!(Language::De.number(1_000_000), "1.000.000");
    }

    #[test]
    fn dates_are_written_as_each_language_writes_them() {
        let instant: Timestamp = "2035-06-01T20:05:00Z".parse().unwrap();
        assert_eq!(Language::En.moment(instant), "Friday, 1 June 2035, 20:05\u{a0}UTC");
        assert_eq!(Language::De.moment(instant), "Freitag, 1. Juni 2035, 20:05 Uhr\u{a0}UTC");
        assert_eq!(Language::Fr.moment(instant), "vendredi 1er juin 2035, 20:05\u{a0}UTC");
        assert_eq!(Language::Es.moment(instant), "viernes, 1 de junio de 2035, 20:05\u{a0}UTC");
    }

    #[test]
    fn weekdays_are_right_before_and_after_1970() {
        for (date, weekday) in [("1969-12-31T23:00:00Z", 2), ("1970-01-01T00:00:00Z", 3), ("2026-11-30T04:00:00Z", 0)] {
            assert_eq!(Calendar::of(date.parse().unwrap()).weekday, weekday, "{date}");
        }
    }
}
