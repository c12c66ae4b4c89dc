//! Every text of every page, one file a language. `{…}` stands for what [`fill`] puts there.

mod de;
mod en;
mod es;
mod fr;

use crate::language::Language;

macro_rules! texts {
    ($($name:ident),+ $(,)?) => {
        /// The texts of one language. A text that a language lacks does not compile.
        #[derive(Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each is what it says, in `en.rs`")]
        pub struct Texts {
            $(pub $name: &'static str,)+
        }

        impl Texts {
            /// Each text with its name.
            #[cfg(test)]
            fn all(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($name), self.$name),)+]
            }
        }
    };
}

texts! {
    skip, navigation, languages, my_orders, all_events, log_in, log_out, footer, your_time, list_title, list_lead,
    search_label, search, search_none, search_all, list_empty, more, left_one, left_many, sold_out, sold_out_text,
    closed, closed_text, when, place, price, per_ticket, quantity, total, choose, choose_note, steps, step_choose,
    step_check, step_pay, step_done, checkout_title, change, reserve, reserve_note, tickets_one, tickets_many,
    session_title, session_lead, have_account, new_here, username, password, password_hint, email, first_name,
    last_name, register, pay_title, reserved_until, time_left, hurry, pay_now, enter_card, another_card,
    card_chosen, card_secure, card_needs_script, declined, notice_card, notice_method, notice_later, notice_declines,
    notice_uncancelled, bank_title, bank_text, bank_go, bank_back, waiting_title, waiting_text, paid_title,
    paid_text, reload, done_title, done_text, order, calendar, cancel, cancel_policy, cancel_unpaid, cancel_now,
    cancelling_title, cancelling_text, late_title, late_text, refused_title, refused_text, cancelled_title,
    cancelled_text, again, over_title, over_text, orders_empty, signed_in, state_pending, state_confirmed,
    state_cancelled, state_completed, errors, error_prefix, error_quantity, error_left_one, error_left_many,
    error_gone, error_price, error_limit, error_credentials, error_attempts, error_suspended,
    second_factor, error_code_missing, error_code,
    error_password, error_email, error_first_name, error_last_name, error_username, error_other, error_busy,
    account, verify_title, verify_lead, verify, unverified, verified, no_mail, no_mail_text, send_again, code_sent,
    code, error_proof, error_email_taken, forgotten, forgotten_title, forgotten_lead, send_code, reset_title,
    reset_lead, new_password, change_password, another_code, password_changed, log_in_again, factor_title,
    factor_lead, factor_begin_text, factor_begin, factor_remove, factor_remove_text, factor_remove_now,
    factor_removed, error_factor_there, error_factor_none, error_factor_over, enrol_title, enrol_lead, enrol_picture,
    enrol_key, enrol_code, enrol_confirm, error_first_code, recovery_title, recovery_lead, recovery_after,
    missing_title, missing_text, forged_title, forged_text, failed_title, failed_text, reference,
}

impl Texts {
    /// The texts of this language.
    pub fn of(language: Language) -> &'static Self {
        match language {
            Language::En => &en::TEXTS,
            Language::De => &de::TEXTS,
            Language::Fr => &fr::TEXTS,
            Language::Es => &es::TEXTS,
        }
    }
}

/// The text with this value in place of `{name}`. Only the text is searched: a value may well have braces of its own.
pub fn fill(text: &str, name: &str, value: &str) -> String {
    match text.split_once(&format!("{{{name}}}")) {
        Some((before, after)) => format!("{before}{value}{after}"),
        None => text.to_owned(),
    }
}

/// The text for one or the text for several, with the count in it.
pub fn count(language: Language, one: &str, many: &str, count: u32) -> String {
    fill(if language.is_one(count) { one } else { many }, "n", &language.number(count.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn places(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
    }

    #[test]
    fn every_language_has_the_same_places_for_values() {
        let english = Texts::of(Language::En).all();
        for language in Language::ALL {
            for ((name, original), (_, text)) in english.iter().zip(Texts::of(language).all()) {
                assert_eq!(places(original), places(text), "{name} in {}", language.code());
                assert!(!text.trim().is_empty(), "{name} in {}", language.code());
            }
        }
    }

    #[test]
    fn a_sentence_is_translated() {
        let english = Texts::of(Language::En).all();
        for language in [Language::De, Language::Fr, Language::Es] {
            for ((name, original), (_, text)) in english.iter().zip(Texts::of(language).all()) {
                let is_sentence = original.matches(' ').count() > 2;
                assert!(!is_sentence || *original != text, "{name} in {}", language.code());
            }
        }
    }

    #[test]
    fn a_value_is_text_and_never_a_place() {
        assert_eq!(fill("matches “{query}”", "query", "{query}"), "matches “{query}”");
        assert_eq!(fill("no place", "query", "x"), "no place");
        assert_eq!(count(Language::Fr, "{n} billet", "{n} billets", 0), "0 billet");
        assert_eq!(count(Language::De, "{n} Ticket", "{n} Tickets", 1200), "1.200 Tickets");
    }
}
