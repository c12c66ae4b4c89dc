//! A booking's event as a calendar file ([RFC 5545](https://www.rfc-editor.org/rfc/rfc5545)), published without asking for an answer
//! ([RFC 5546](https://www.rfc-editor.org/rfc/rfc5546), section 3.2.1).
//!
//! The entry's `UID` follows from the ticket's id, and its `SEQUENCE` is the ticket's version. So a later file of the same ticket, wherever it comes from,
//! replaces the entry of an earlier one.

use crate::{TicketId, Timestamp};

/// The longest line, in octets, before it is folded.
const LINE_BYTES: usize = 75;

/// Whether the event takes place for this ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Confirmed,
    /// It does not, or not with this ticket: a calendar removes its entry.
    Cancelled,
}

/// The event of a ticket, as its holder's calendar knows it. The event's end is not known, so the entry has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The ticket.
    pub ticket: TicketId,
    /// The ticket's version, which grows with every change.
    pub version: u64,
    /// Whether it takes place.
    pub status: Status,
    /// The event's name.
    pub name: &'a str,
    /// When it begins.
    pub starts_at: Timestamp,
    /// Where it takes place.
    pub place: Option<&'a str>,
    /// The booking in words.
    pub summary: &'a str,
}

impl Entry<'_> {
    /// The calendar file, made at this time.
    pub fn file(&self, made_at: Timestamp) -> String {
        let status = match self.status {
            Status::Confirmed => "CONFIRMED",
            Status::Cancelled => "CANCELLED",
        };
        let lines = [
            "BEGIN:VCALENDAR".to_owned(),
            "VERSION:2.0".to_owned(),
            "PRODID:-//Box Office//Box Office//EN".to_owned(),
            "METHOD:PUBLISH".to_owned(),
            "BEGIN:VEVENT".to_owned(),
            format!("UID:{}@boxoffice", self.ticket),
            format!("SEQUENCE:{}", self.version),
            format!("DTSTAMP:{}", instant(made_at)),
            format!("DTSTART:{}", instant(self.starts_at)),
            // Required of what is published, and nobody to answer to.
            "ORGANIZER;CN=Box Office:invalid:nomail".to_owned(),
            format!("STATUS:{status}"),
            format!("SUMMARY:{}", escaped(self.name)),
            format!("DESCRIPTION:{}", escaped(self.summary)),
        ];
        let place = self.place.map(|place| format!("LOCATION:{}", escaped(place)));
        let end = ["END:VEVENT".to_owned(), "END:VCALENDAR".to_owned()];
        lines.into_iter().chain(place).chain(end).map(|line| folded(&line)).collect()
    }
}

/// `20350601T200000Z`.
fn instant(instant: Timestamp) -> String {
    let spelling = instant.to_string();
    let seconds = spelling.split('.').next().unwrap_or_default();
    format!("{}Z", seconds.replace(['-', ':'], ""))
}

/// The text as a value, which no character of it ends.
fn escaped(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,").replace('\n', "\\n");
    escaped.replace(char::is_control, "")
}

/// The line with its end, folded between characters.
fn folded(line: &str) -> String {
    let (mut out, mut length) = (String::new(), 0);
    for character in line.chars() {
        if length + character.len_utf8() > LINE_BYTES {
            out.push_str("\r\n ");
            length = 1;
        }
        out.push(character);
        length += character.len_utf8();
    }
    out.push_str("\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> Entry<'_> {
        Entry {
            ticket: "tkt_01970000000070008000000000000001".parse().unwrap(),
            version: 2,
            status: Status::Confirmed,
            name,
            starts_at: "2035-06-01T20:00:00Z".parse().unwrap(),
            place: Some("Prater; Vienna"),
            summary: "2 tickets",
        }
    }

    fn file(entry: Entry<'_>) -> String {
        entry.file("2035-05-01T10:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_calendar_reads_the_event_out_of_it() {
        let file = file(entry("Late Show, at the <Wheel>"));
        assert!(file.starts_with("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n"), "{file}");
        assert!(file.ends_with("END:VEVENT\r\nEND:VCALENDAR\r\n"), "{file}");
        for line in [
            "METHOD:PUBLISH",
            "UID:tkt_01970000000070008000000000000001@boxoffice",
            "SEQUENCE:2",
            "STATUS:CONFIRMED",
            "DTSTAMP:20350501T100000Z",
            "DTSTART:20350601T200000Z",
            "SUMMARY:Late Show\\, at the <Wheel>",
            "LOCATION:Prater\\; Vienna",
        ] {
            assert!(file.contains(&format!("\r\n{line}\r\n")), "{line} in {file}");
        }
    }

    #[test]
    fn a_later_file_is_of_the_same_entry_and_says_that_it_is_later() {
        let cancelled = file(Entry { version: 4, status: Status::Cancelled, ..entry("Late Show") });
        for line in ["UID:tkt_01970000000070008000000000000001@boxoffice", "SEQUENCE:4", "STATUS:CANCELLED"] {
            assert!(cancelled.contains(&format!("\r\n{line}\r\n")), "{line} in {cancelled}");
        }
    }

    #[test]
    fn no_value_begins_a_line_of_its_own() {
        let file = file(entry("Late\r\nATTENDEE:mailto:eve@example.org\n\u{85}Show"));
        assert!(file.contains("\r\nSUMMARY:Late\\nATTENDEE:mailto:eve@example.org\\nShow\r\n"), "{file}");
    }

    #[test]
    fn a_long_line_is_folded_between_characters() {
        let folded = folded(&"ü".repeat(80));
        let lines: Vec<&str> = folded.trim_end().split("\r\n ").collect();
        assert!(lines.len() > 1 && lines.iter().all(|line| line.len() <= LINE_BYTES), "{lines:?}");
        assert_eq!(lines.concat(), "ü".repeat(80));
    }
}
