//! An order as a calendar file ([RFC 5545](https://www.rfc-editor.org/rfc/rfc5545)). No I/O.

use crate::api::Ticket;
use boxoffice_kernel::Timestamp;

/// The longest line, in octets, before it is folded.
const LINE_BYTES: usize = 75;

/// The calendar file of an order. The event's end is not known, so the entry has none.
pub fn file(ticket: &Ticket, place: Option<&str>, summary: &str, made_at: Timestamp) -> String {
    let location = place.map(|place| format!("LOCATION:{}", escaped(place)));
    let lines = [
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//Box Office//Shop//EN".to_owned(),
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{}@boxoffice", ticket.id),
        format!("DTSTAMP:{}", instant(made_at)),
        format!("DTSTART:{}", instant(ticket.event_date)),
        format!("SUMMARY:{}", escaped(&ticket.event_name)),
        format!("DESCRIPTION:{}", escaped(summary)),
    ];
    let end = ["END:VEVENT".to_owned(), "END:VCALENDAR".to_owned()];
    lines.into_iter().chain(location).chain(end).map(|line| folded(&line)).collect()
}

/// `20350601T200000Z`.
fn instant(instant: Timestamp) -> String {
    let spelling = instant.to_string();
    let seconds = spelling.split('.').next().unwrap_or_default();
    format!("{}Z", seconds.replace(['-', ':'], ""))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,").replace('\n', "\\n")
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
    use crate::order::tests::ticket;
    use serde_json::json;

    #[test]
    fn a_calendar_reads_the_event_out_of_it() {
        let ticket = ticket("CONFIRMED", json!({}));
        let file = file(&ticket, Some("Prater; Vienna"), "2 tickets", "2035-05-01T10:00:00Z".parse().unwrap());
        assert!(
            file.starts_with("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n") && file.ends_with("END:VCALENDAR\r\n"),
            "{file}"
        );
        for line in [
            "UID:tkt_01970000000070008000000000000001@boxoffice",
            "DTSTAMP:20350501T100000Z",
            "DTSTART:20350601T200000Z",
            "SUMMARY:Late Show\\, at the <Wheel>",
            "LOCATION:Prater\\; Vienna",
        ] {
            assert!(file.contains(&format!("{line}\r\n")), "{line} in {file}");
        }
    }

    #[test]
    fn a_long_line_is_folded_between_characters() {
        let folded = folded(&"ü".repeat(80));
        let lines: Vec<&str> = folded.trim_end().split("\r\n ").collect();
        assert!(lines.len() > 1 && lines.iter().all(|line| line.len() <= LINE_BYTES), "{lines:?}");
        assert_eq!(lines.concat(), "ü".repeat(80));
    }
}
