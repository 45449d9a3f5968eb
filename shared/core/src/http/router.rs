//! Finds the route of a request.

use super::route::MAX_REQUEST_BODY;
use super::template::Template;
use super::{Method, OPENAPI_PATH, PathSegments, Route};
use crate::worker::{WorkerId, WorkerSpec};

/// The routes of several workers. A literal segment is preferred to one in braces.
#[derive(Clone, Debug, Default)]
pub struct Router {
    /// Sorted so that the first match is the most special one.
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// The worker's position among those that the router was built of.
    worker: usize,
    id: WorkerId,
    route: &'static Route,
    template: Template,
}

/// The route of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    /// The worker's position among those that the router was built of.
    pub worker: usize,
    /// The route.
    pub route: &'static Route,
    /// The values of the segments in braces.
    pub params: Vec<(&'static str, String)>,
}

/// Why there is no route for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// No route has this path.
    Path,
    /// The path has routes, but none for this method.
    Method,
}

/// Why routes cannot be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// A route is malformed.
    #[error("the route {route} of {worker}: {reason}")]
    Invalid {
        /// The worker.
        worker: WorkerId,
        /// The route.
        route: String,
        /// What is wrong.
        reason: String,
    },
    /// Two routes match the same requests.
    #[error("{first_worker} and {second_worker} both serve {route}")]
    Duplicate {
        /// The worker of the first route.
        first_worker: WorkerId,
        /// The worker of the second route.
        second_worker: WorkerId,
        /// The second route.
        route: String,
    },
    /// Two routes match some of the same requests, and neither is the more special one.
    #[error("{first} and {second} both match {path}, and neither is more specific")]
    Ambiguous {
        /// The first route, and its worker.
        first: String,
        /// The second route, and its worker.
        second: String,
        /// A path that both match.
        path: String,
    },
}

impl Router {
    /// Creates a router for the routes of `workers`, all of which must be valid and distinct.
    pub fn new(workers: impl IntoIterator<Item = WorkerSpec>) -> Result<Router, RouteError> {
        let mut router = Router::default();
        for (worker, spec) in workers.into_iter().enumerate() {
            for route in spec.routes() {
                router.add(worker, spec.id(), route)?;
            }
        }
        router.entries.sort_by_key(|entry| entry.template.param_count());
        Ok(router)
    }

    fn add(&mut self, worker: usize, id: WorkerId, route: &'static Route) -> Result<(), RouteError> {
        let invalid = |reason: String| RouteError::Invalid { worker: id.clone(), route: route.to_string(), reason };
        let template = Template::parse(route.path).map_err(invalid)?;
        check(route).map_err(invalid)?;
        for other in self.entries.iter().filter(|other| other.route.method == route.method) {
            if other.template.is_same_as(&template) {
                let (first_worker, second_worker) = (other.id.clone(), id);
                return Err(RouteError::Duplicate { first_worker, second_worker, route: route.to_string() });
            }
            if let Some(path) = other.template.ambiguous_path(&template) {
                let (first, second) = (format!("{} of {}", other.route, other.id), format!("{route} of {id}"));
                return Err(RouteError::Ambiguous { first, second, path });
            }
        }
        self.entries.push(Entry { worker, id, route, template });
        Ok(())
    }

    /// Returns whether there is no route.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the route of a request.
    pub fn find(&self, method: Method, path: &PathSegments<'_>) -> Result<Matched, NoRoute> {
        let found = self.matching(path).find(|entry| entry.route.method == method);
        if let Some(Entry { worker, route, template, .. }) = found {
            return Ok(Matched { worker: *worker, route, params: template.values(path.as_slice()) });
        }
        Err(if self.matching(path).next().is_some() { NoRoute::Method } else { NoRoute::Path })
    }

    /// Returns the methods of a path, including those that hosts add: none if no route has the path.
    pub fn allowed(&self, path: &PathSegments<'_>) -> Vec<&'static str> {
        let mut methods: Vec<Method> = self.matching(path).map(|entry| entry.route.method).collect();
        methods.sort_unstable();
        methods.dedup();
        let mut names = Vec::new();
        for method in methods {
            names.push(method.as_str());
            if method == Method::Get {
                names.push("HEAD");
            }
        }
        if !names.is_empty() {
            names.push("OPTIONS");
        }
        names
    }

    fn matching(&self, path: &PathSegments<'_>) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.template.matches(path.as_slice()))
    }
}

fn check(route: &Route) -> Result<(), String> {
    if route.path == OPENAPI_PATH {
        return Err("the host serves its own description there".to_owned());
    }
    if route.body_limit > MAX_REQUEST_BODY {
        return Err(format!("a body limit of {} bytes is more than {MAX_REQUEST_BODY}", route.body_limit));
    }
    if route.timeout.is_zero() {
        return Err("the time-out is 0".to_owned());
    }
    route.limits.iter().try_for_each(|limit| limit.limit.check())
}
