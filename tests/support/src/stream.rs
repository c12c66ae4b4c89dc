//! The event store's stream, as its readers are given it.

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
