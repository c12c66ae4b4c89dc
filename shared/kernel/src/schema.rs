//! How these types show in the API's document.
//!
//! A type that checks itself when it is read also says here what it accepts, so that the document, a client generated from it and
//! the check cannot disagree about which strings are an id.

/// Implements the OpenAPI schema of a type that is a string on the wire.
#[macro_export]
macro_rules! string_schema {
    ($name:ty, { $($key:ident : $value:expr),+ $(,)? }) => {
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                let object = utoipa::openapi::schema::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String);
                $(let object = $crate::string_schema!(@set object, $key, $value);)+
                object.into()
            }
        }

        impl utoipa::ToSchema for $name {}
    };
    (@set $object:ident, pattern, $value:expr) => { $object.pattern(Some($value)) };
    (@set $object:ident, example, $value:expr) => { $object.examples([serde_json::json!($value)]) };
    (@set $object:ident, min, $value:expr) => { $object.min_length(Some($value)) };
    (@set $object:ident, max, $value:expr) => { $object.max_length(Some($value)) };
    (@set $object:ident, write_only, $value:expr) => { $object.write_only($value) };
    (@set $object:ident, format, $value:expr) => {
        $object.format(Some(utoipa::openapi::schema::SchemaFormat::Custom($value.to_owned())))
    };
}

pub use crate::string_schema;
