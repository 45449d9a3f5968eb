//! Items in the order of their keys, page by page.

use std::future::Future;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::operation::scan::builders::ScanFluentBuilder;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use super::Dynamo;
use super::attributes::Item;
use super::error::{DynamoError, explain};

/// Items, or the error that ends them.
pub type Items = BoxStream<'static, Result<Item, DynamoError>>;

/// One page, and the key after which the next one begins; `None` if it is the last.
type Page = (Vec<Item>, Option<Item>);

impl Dynamo {
    /// Returns the items of a query, created with [`Dynamo::client`]. A page of up to 1 MB is requested when the previous
    /// one is used up, so only one is in memory; `limit` of the query makes pages smaller. A query is not a snapshot: it
    /// may return items that are written meanwhile.
    pub fn query(&self, table: &str, query: QueryFluentBuilder) -> Items {
        let query = query.table_name(table);
        let table = table.to_owned();
        pages(move |start| {
            let (request, table) = (query.clone().set_exclusive_start_key(start), table.clone());
            async move {
                let page = request.send().await.map_err(|error| explain("query", &table, error))?;
                Ok((page.items.unwrap_or_default(), page.last_evaluated_key))
            }
        })
    }

    /// Returns all items of a table, in no order, likewise.
    pub fn scan(&self, table: &str, scan: ScanFluentBuilder) -> Items {
        let scan = scan.table_name(table);
        let table = table.to_owned();
        pages(move |start| {
            let (request, table) = (scan.clone().set_exclusive_start_key(start), table.clone());
            async move {
                let page = request.send().await.map_err(|error| explain("scan", &table, error))?;
                Ok((page.items.unwrap_or_default(), page.last_evaluated_key))
            }
        })
    }
}

/// Requests pages one after the other. A page may be empty and not the last: a filter applies after the page is read.
fn pages<F>(request: impl Fn(Option<Item>) -> F + Send + Sync + 'static) -> Items
where
    F: Future<Output = Result<Page, DynamoError>> + Send,
{
    // Some(start) requests the page that begins there; None ends.
    let pages = stream::try_unfold((request, Some(None)), async |(request, start)| {
        let Some(start) = start else { return Ok(None) };
        let (items, last) = request(start).await?;
        let items = stream::iter(items.into_iter().map(Ok));
        // An empty key would begin from the start again.
        let next = last.filter(|last| !last.is_empty()).map(Some);
        Ok(Some((items, (request, next))))
    });
    pages.try_flatten().boxed()
}
