//! What lasts for a whole run: Byzantine roles, which must also have been played, and shaped links.

use super::perturb::Conductor;
use super::report::NotRun;
use crate::hurt::{Crime, confession};
use crate::world::World;

impl Conductor {
    /// What lasts for the whole run: roles and links.
    pub(super) fn note_roles(&mut self, world: &World) {
        for (name, node) in self.manifest.node.clone() {
            for role in node.byzantine.keys() {
                let why = world.hurts_from_within().or_else(|| {
                    (!Crime::is_known(role)).then_some("a role that only the simulator plays")
                });
                let what = format!("{name}: byzantine {role}");
                match why {
                    Some(why) => self.not_run.push(NotRun { what, why: why.into() }),
                    None => self.note(what),
                }
            }
        }
        if self.manifest.link.is_some() && !world.shapes_links() {
            let why = "no relay between containers; --world process".into();
            self.not_run.push(NotRun { what: "link".into(), why });
        }
    }

    /// A role that was never played is no test of it.
    pub(super) async fn roles_played(&mut self, world: &World) {
        for (name, node) in self.manifest.node.clone() {
            let known = node.byzantine.iter().filter(|(role, share)| {
                world.hurts_from_within().is_none() && Crime::is_known(role) && **share > 0.0
            });
            for (role, _) in known {
                if !world.said(&name, &confession(role)).await {
                    self.ended.push(format!("{name} never had an occasion for {role}"));
                }
            }
        }
    }
}
