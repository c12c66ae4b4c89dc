//! A mail with pictures and a calendar file, as one message ([RFC 2045](https://www.rfc-editor.org/rfc/rfc2045)). No I/O.
//!
//! ```text
//! multipart/mixed
//! ├── multipart/alternative
//! │   ├── text/plain
//! │   └── multipart/related
//! │       ├── text/html
//! │       └── image/png, each named by the page as cid:…
//! └── text/calendar
//! ```
//!
//! SES gives every message its own Message-ID and Date.

use crate::content::Composed;
use mail_builder::{
    MessageBuilder,
    headers::content_type::ContentType,
    mime::{BodyPart, MimePart},
};

/// Why there is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// Every value of a header is one line, or it could begin another header.
    #[error("a header of the mail has a control character")]
    ControlCharacter,
    /// The writer failed, which writes to memory.
    #[error("the mail cannot be written")]
    Unwritten,
}

fn part<'x>(kind: &'static str, parts: Vec<MimePart<'x>>) -> MimePart<'x> {
    MimePart::new(kind, BodyPart::Multipart(parts))
}

/// The message.
///
/// # Errors
/// When a header would have a control character.
pub fn message(from: &str, to: &str, mail: &Composed) -> Result<Vec<u8>, Unwritable> {
    if [from, to, &mail.subject].iter().any(|value| value.contains(char::is_control)) {
        return Err(Unwritable::ControlCharacter);
    }
    let text = MimePart::new("text/plain", mail.text.as_str());
    let page = MimePart::new("text/html", mail.html.as_str());
    let page = if mail.codes.is_empty() {
        page
    } else {
        let pictures = mail.codes.iter().map(|code| {
            let name = format!("ticket-{}.png", code.serial);
            MimePart::new("image/png", code.png.as_slice())
                .header("Content-Disposition", ContentType::new("inline").attribute("filename", name))
                .cid(code.content_id())
        });
        part("multipart/related", std::iter::once(page).chain(pictures).collect())
    };
    let body = part("multipart/alternative", vec![text, page]);
    let body = match &mail.calendar {
        Some(calendar) => {
            let kind = ContentType::new("text/calendar").attribute("method", "PUBLISH").attribute("charset", "utf-8");
            let calendar = MimePart::new(kind, calendar.as_str()).attachment("event.ics");
            part("multipart/mixed", vec![body, calendar])
        }
        None => body,
    };
    let message = MessageBuilder::new().from(from).to(to).subject(mail.subject.as_str()).body(body);
    message.write_to_vec().map_err(|_| Unwritable::Unwritten)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{codes::TicketCode, content::FreeText};
    use boxoffice_kernel::TicketId;
    use mail_parser::{MessageParser, MimeHeaders as _, PartType};

    const FROM: &str = "no-reply@boxoffice.example";
    const TO: &str = "ada@xn--bcher-kva.example";

    fn mail(subject: &str, codes: u32, calendar: Option<&str>) -> Composed {
        let ticket = TicketId::generate();
        let code = |place| TicketCode {
            admission_id: ticket.admission(place).unwrap(),
            serial: 100 + place,
            png: [0x89, b'P', b'N', b'G', 0, b'\r', b'\n', 0xff].repeat(75),
        };
        let message: FreeText = "Your booking is confirmed.".parse().unwrap();
        Composed {
            subject: subject.into(),
            text: "Grüße\n\nFrom the door\n.\n".into(),
            html: format!("<p>Grüße {}</p>", "x".repeat(2000)),
            message,
            codes: (1..=codes).map(code).collect(),
            calendar: calendar.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn a_page_shows_its_pictures_by_content_id_and_a_calendar_is_attached() {
        let sent = mail("Late Show: bestätigt", 2, Some("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"));
        let raw = message(FROM, TO, &sent).unwrap();
        let read = MessageParser::new().parse(&raw).unwrap();
        assert_eq!(read.subject(), Some(sent.subject.as_str()));
        assert_eq!(read.from().and_then(|from| from.first()?.address.as_deref()), Some(FROM));
        assert_eq!(read.to().and_then(|to| to.first()?.address.as_deref()), Some(TO));
        let kinds: Vec<String> = read.parts.iter().map(|part| kind(part)).collect();
        assert_eq!(
            kinds,
            [
                "multipart/mixed",
                "multipart/alternative",
                "text/plain",
                "multipart/related",
                "text/html",
                "image/png",
                "image/png",
                "text/calendar"
            ]
        );
        for (part, code) in read.parts[5..7].iter().zip(&sent.codes) {
            assert_eq!(part.content_id(), Some(code.content_id().as_str()));
            assert!(part.content_disposition().is_some_and(|it| it.ctype() == "inline"));
            assert_eq!(part.contents(), code.png);
        }
        let calendar = &read.parts[7];
        assert_eq!(calendar.attachment_name(), Some("event.ics"));
        assert_eq!(calendar.content_type().and_then(|it| it.attribute("method")), Some("PUBLISH"));
        assert_eq!(calendar.contents(), sent.calendar.unwrap().as_bytes());
        assert_eq!(read.body_text(0).unwrap().replace("\r\n", "\n").trim_end(), sent.text.trim_end());
        assert_eq!(read.body_html(0).unwrap(), sent.html);
    }

    fn kind(part: &mail_parser::MessagePart<'_>) -> String {
        match (&part.body, part.content_type()) {
            (_, Some(kind)) => format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()),
            (PartType::Text(_), None) => "text/plain".into(),
            (_, None) => "unknown".into(),
        }
    }

    #[test]
    fn sixty_codes_are_a_mail_of_less_than_a_hundred_kilobytes() {
        let raw = message(FROM, TO, &mail("Late Show", 60, None)).unwrap();
        assert!(raw.len() < 100 * 1024, "{} bytes", raw.len());
    }

    #[test]
    fn every_line_is_ascii_and_short() {
        let raw = message(FROM, TO, &mail(&"Ü".repeat(200), 1, Some(&"x".repeat(3000)))).unwrap();
        assert!(raw.is_ascii());
        let raw = String::from_utf8(raw).unwrap();
        assert!(raw.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])), "{raw}");
    }

    #[test]
    fn no_value_begins_another_header() {
        let hostile = "Late Show\r\nBcc: eve@example.org";
        for end in ["\n", "\r", "\u{85}", "\0"] {
            let hostile = hostile.replace("\r\n", end);
            assert_eq!(message(FROM, TO, &mail(&hostile, 0, None)), Err(Unwritable::ControlCharacter));
            assert_eq!(message(&hostile, TO, &mail("", 0, None)), Err(Unwritable::ControlCharacter));
            assert_eq!(message(FROM, &hostile, &mail("", 0, None)), Err(Unwritable::ControlCharacter));
        }
        // Text of a mail is below its headers, whatever it says.
        let said = Composed { text: "\r\nBcc: eve@example.org\r\n".into(), ..mail("Late Show", 1, None) };
        let raw = message(FROM, TO, &said).unwrap();
        let read = MessageParser::new().parse(&raw).unwrap();
        assert!(read.bcc().is_none() && read.body_text(0).is_some_and(|text| text.contains("Bcc: eve")));
    }
}
