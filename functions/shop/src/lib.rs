//! The shop: pages on which people buy, for every browser, with or without JavaScript.
//!
//! | File | Holds |
//! |---|---|
//! | [`api`] | calls of the API's own handlers, in process and under their own access rules |
//! | [`assets`] | the style sheet, the script and the icon, under names that change with their content |
//! | [`cookies`] | the cookies of a session, read and set |
//! | [`form`] | the fields that a form posted, and the token that shows that a page of ours sent it |
//! | [`language`] | the four languages: which one a reader wants, and how each writes numbers, money and dates |
//! | [`texts`] | every text of every page, one file a language |
//! | [`frame`] | the parts that all pages share: links, head, headers |
//! | [`visitor`] | the reader of a page, by their cookies |
//! | [`pages`] | each page's template, with what it shows |
//! | [`order`] | an order's state as its buyer should see it; pure |
//! | [`enrolment`] | the secret of a second factor, for an authenticator app; pure |
//! | [`handlers`] | one file a function |
//!
//! A page has no rule of its own: it asks a handler of the API, and shows its answer or its refusal (`docs/adr/0047-pages-ask-handlers.md`).

pub mod api;
pub mod assets;
pub mod cookies;
pub mod enrolment;
pub mod form;
pub mod frame;
pub mod handlers;
pub mod language;
pub mod order;
pub mod pages;
pub mod texts;
pub mod visitor;
