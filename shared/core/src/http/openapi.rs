//! The description of an interface, made from its routes.

use serde_json::{Map, Value, json};

use super::template::Template;
use super::{Access, LimitBy, Method, Route};
use crate::worker::WorkerSpec;

/// Where the local host serves the description.
pub const OPENAPI_PATH: &str = "/openapi.json";

/// Describes the routes of `workers` as an OpenAPI 3.1 document. <https://spec.openapis.org/oas/v3.1.1.html>
pub fn openapi(title: &str, version: &str, workers: impl IntoIterator<Item = WorkerSpec>) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let (mut tags, mut has_keys) = (Vec::new(), false);
    for spec in workers.into_iter().filter(|spec| !spec.routes().is_empty()) {
        let tag = spec.id().to_string();
        for route in spec.routes() {
            has_keys |= route.access == Access::Key;
            let path = paths.entry(route.path.to_owned()).or_insert_with(|| json!({}));
            path[route.method.as_str().to_ascii_lowercase()] = operation(route, &spec, &tag);
        }
        tags.push(json!({ "name": tag, "description": spec.summary }));
    }
    let mut components = json!({ "schemas": { "Error": error_schema() } });
    if has_keys {
        components["securitySchemes"] = json!({
            "bearer": { "type": "http", "scheme": "bearer" },
            "apiKey": { "type": "apiKey", "in": "header", "name": "X-Api-Key" },
        });
    }
    json!({
        "openapi": "3.1.1",
        "info": { "title": title, "version": version },
        "tags": tags,
        "paths": paths,
        "components": components,
    })
}

fn operation(route: &Route, spec: &WorkerSpec, tag: &str) -> Value {
    let mut operation = json!({
        "operationId": operation_id(route, spec),
        "summary": route.summary,
        "tags": [tag],
        "responses": responses(route),
    });
    let params = Template::parse(route.path).map(|template| template.params().map(parameter).collect::<Vec<Value>>());
    if let Some(params) = params.ok().filter(|params| !params.is_empty()) {
        operation["parameters"] = params.into();
    }
    if route.body_limit > 0 {
        operation["requestBody"] = json!({
            "description": format!("At most {} bytes.", route.body_limit),
            "content": { "*/*": {} },
        });
    }
    if route.access == Access::Key {
        operation["security"] = json!([{ "bearer": [] }, { "apiKey": [] }]);
    }
    if !route.limits.is_empty() {
        operation["description"] = limits(route).into();
    }
    operation
}

/// Returns a name that is unique among all routes: `sample_api_get_players_id`.
fn operation_id(route: &Route, spec: &WorkerSpec) -> String {
    let text = format!("{}_{}_{}{}", spec.fleet, spec.name, route.method, route.path).to_ascii_lowercase();
    let words = text.split(|char: char| !char.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_")
}

fn parameter(name: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
}

fn limits(route: &Route) -> String {
    let texts = route.limits.iter().map(|limit| {
        let by = match limit.by {
            LimitBy::Address => "address",
            LimitBy::Key => "key",
        };
        format!("At most {} for each {by}.", limit.limit)
    });
    texts.collect::<Vec<_>>().join(" ")
}

fn responses(route: &Route) -> Value {
    let mut responses = json!({ "2XX": { "description": "Success." }, "default": error("Failure.") });
    if route.body_limit > 0 {
        responses["413"] = error("The body is too large.");
    }
    if route.access == Access::Key {
        responses["401"] = error("There is no key, or it is not valid.");
    }
    if !route.limits.is_empty() {
        responses["429"] = error("There were too many requests; `Retry-After` says how many seconds to wait.");
    }
    if route.method == Method::Get {
        responses["304"] = json!({ "description": "The caller has the current version." });
    }
    responses
}

fn error(description: &str) -> Value {
    json!({
        "description": description,
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
    })
}

fn error_schema() -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    json!({
        "type": "object",
        "required": ["error"],
        "properties": { "error": {
            "type": "object",
            "required": ["code", "message", "request_id"],
            "properties": {
                "code": text("The kind of error, for programs."),
                "message": text("What is wrong, for a person."),
                "request_id": text("The request, as in the header X-Request-Id and in the log."),
            },
        } },
    })
}
