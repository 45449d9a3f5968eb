//! `worldData`: raids with their difficulties and partitions, and servers.

use super::execution::Execution;
use super::plan::Node;
use crate::warcraftlogs::constants::{self, WORLD_COST_MICROS, Zone};
use crate::warcraftlogs::json;

impl<'d> Execution<'d> {
    /// A field of `worldData`.
    pub(super) fn world_data(&mut self, node: &Node<'d>) {
        self.cost_micros += WORLD_COST_MICROS;
        match node.definition.name {
            "zone" => match self.int(node, "id").and_then(|id| constants::zone(u32::try_from(id).ok()?)) {
                Some(zone) => self.zone(zone, node),
                None => self.null(),
            },
            "zones" => self.list(constants::ZONES.iter(), |execution, zone| execution.zone(zone, node)),
            "server" => self.server(node),
            _ => self.null(),
        }
    }

    /// A server by its id, or by slug and region.
    fn server(&mut self, node: &Node<'d>) {
        let realms = self.state.reports.population.realms();
        let realm = match (self.int(node, "id"), self.text(node, "slug"), self.text(node, "region")) {
            (Some(id), ..) => realms.by_id(id),
            (None, Some(slug), Some(region)) => realms.by_slug(slug, region),
            _ => None,
        };
        match realm {
            Some(realm) => self.object(&node.children, |execution, field| execution.server_field(realm, field)),
            None => self.null(),
        }
    }

    /// A raid.
    pub(super) fn zone(&mut self, zone: &'static Zone, node: &Node<'d>) {
        self.object(&node.children, |execution, field| match field.definition.name {
            "id" => json::number(&mut execution.out, zone.id.into()),
            "name" => json::text(&mut execution.out, zone.name),
            "frozen" => {
                let frozen = execution.state.frozen.contains(&zone.id);
                execution.boolean(frozen);
            }
            "difficulties" => execution.list(zone.difficulties(), |execution, (id, name)| {
                execution.object(&field.children, |execution, field| match field.definition.name {
                    "id" => json::number(&mut execution.out, id.into()),
                    "name" => json::text(&mut execution.out, name),
                    _ => execution.list(zone.size(id).into_iter(), |execution, size| {
                        json::number(&mut execution.out, size.into());
                    }),
                });
            }),
            "partitions" => execution.list(1..=zone.partition, |execution, id| {
                execution.object(&field.children, |execution, field| match field.definition.name {
                    "id" => json::signed(&mut execution.out, id),
                    "default" => execution.boolean(id == zone.partition),
                    "compactName" => json::text(&mut execution.out, &format!("P{id}")),
                    _ => json::text(&mut execution.out, &format!("Patch {id}")),
                });
            }),
            _ => execution.list(zone.encounters.iter(), |execution, (id, name)| {
                execution.object(&field.children, |execution, field| match field.definition.name {
                    "id" => json::number(&mut execution.out, (*id).into()),
                    _ => json::text(&mut execution.out, name),
                });
            }),
        });
    }
}
