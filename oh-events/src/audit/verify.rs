//! A walk along the chain of a log.

use oh_core::{EventId, Result};

use crate::store::{Damage, Encoded, EventReader, ReadRange};

use super::head::AuditHead;
use super::mode::{Audit, START};
use super::report::{AuditBreak, AuditFault, AuditReport};
use super::seal::Sealed;

/// So little that no other task waits long for the thread.
const PAGE_BYTES: usize = 128 * 1024;

/// Walks the log up to, and without, an id.
pub(crate) async fn verify(
    reader: &dyn EventReader,
    to: EventId,
    audit: &Audit,
    anchor: Option<&AuditHead>,
) -> Result<AuditReport> {
    let mut walk = Walk::new(audit, anchor, reader.first());
    while walk.next < to && walk.report.broken.is_none() {
        let page = reader.read(ReadRange::new(walk.next, to).max_bytes(PAGE_BYTES));
        let page = page.await;
        let first = reader.first();
        if first > walk.next {
            // The log dropped what was next, and the walk begins anew at what it holds now.
            walk = Walk::new(audit, anchor, first.min(to));
            continue;
        }
        match page {
            Ok(page) if page.is_empty() => walk.stop(walk.next, AuditFault::Missing),
            Ok(page) => walk.page(&page),
            Err(error) => match Damage::of(&error) {
                Some(damage) if walk.report.from.is_some() => {
                    walk.stop(damage.from, AuditFault::Missing);
                }
                // Before the chain nothing is promised.
                Some(damage) if damage.to > walk.next => walk.next = damage.to,
                _ => return Err(error),
            },
        }
    }
    walk.end(to);
    Ok(walk.report)
}

struct Walk<'a> {
    audit: &'a Audit,
    anchor: Option<&'a AuditHead>,
    /// The oldest event of the log.
    first: EventId,
    next: EventId,
    report: AuditReport,
}

impl<'a> Walk<'a> {
    fn new(audit: &'a Audit, anchor: Option<&'a AuditHead>, first: EventId) -> Self {
        Self {
            audit,
            anchor,
            first,
            next: first,
            report: AuditReport::default(),
        }
    }

    fn page(&mut self, page: &[Encoded]) {
        for event in page {
            if event.id() != self.next {
                self.stop(self.next, AuditFault::Missing);
            } else if let Err(fault) = self.event(event) {
                self.stop(event.id(), fault);
            }
            if self.report.broken.is_some() {
                return;
            }
            self.next = event.id().next();
        }
    }

    fn event(&mut self, event: &Encoded) -> Result<(), AuditFault> {
        let Some(sealed) = Sealed::find(event.json()) else {
            return match self.report.from {
                Some(_) => Err(AuditFault::Unchained),
                None => Ok(()),
            };
        };
        if sealed.method != self.audit.method() {
            return Err(AuditFault::OtherMethod);
        }
        if Encoded::id_in(event.json()) != Some(event.id()) {
            return Err(AuditFault::Changed);
        }
        let before = self.report.head.map_or(START, |head| head.value);
        let holds = self.audit.value(&before, sealed.parts()) == sealed.value;
        // What retention removed before the oldest event cannot be checked.
        let is_oldest = event.id() == self.first && self.first > EventId(0);
        if !holds && !is_oldest {
            return Err(AuditFault::Changed);
        }
        if let Some(anchor) = self.anchor
            && anchor.at == event.id()
            && anchor.value != sealed.value
        {
            return Err(AuditFault::OtherHead);
        }
        self.report.from.get_or_insert(event.id());
        self.report.head = Some(AuditHead::new(event.id(), sealed.value));
        Ok(())
    }

    fn stop(&mut self, at: EventId, fault: AuditFault) {
        self.report.broken = Some(AuditBreak { at, fault });
    }

    /// Sees whether the walk came by the anchor.
    fn end(&mut self, to: EventId) {
        let Some(anchor) = self.anchor else {
            return;
        };
        if self.report.broken.is_some() {
            return;
        }
        if anchor.at >= to || anchor.at < self.first {
            self.stop(anchor.at, AuditFault::Cut);
        } else if self.report.from.is_none_or(|from| from > anchor.at) {
            self.stop(anchor.at, AuditFault::Unchained);
        }
    }
}
