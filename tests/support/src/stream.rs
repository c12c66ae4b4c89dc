//! Streams of tables, as their readers are given them.

use serde_json::{Value, json};

/// The record of an item that was added, at this place of the stream.
pub fn inserted(place: &str, image: &Value) -> Value {
    json!({
        "awsRegion": "us-east-1", "eventID": "1", "eventName": "INSERT", "eventSource": "aws:dynamodb", "eventVersion": "1.1",
        "dynamodb": {
            "Keys": {}, "NewImage": image, "SequenceNumber": place, "SizeBytes": 1, "StreamViewType": "NEW_IMAGE"
        }
    })
}

/// The record of an item that was changed, of a stream that has keys alone, at this place.
pub fn keyed(place: &str, pk: &str, sk: &str) -> Value {
    json!({
        "awsRegion": "us-east-1", "eventID": "1", "eventName": "MODIFY", "eventSource": "aws:dynamodb", "eventVersion": "1.1",
        "dynamodb": {
            "Keys": { "pk": { "S": pk }, "sk": { "S": sk } }, "SequenceNumber": place, "SizeBytes": 1, "StreamViewType": "KEYS_ONLY"
        }
    })
}
