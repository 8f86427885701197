//! All checks in their fixed order.

use super::super::check::Check;

/// All checks in their fixed order, grouped by family.
pub fn checks() -> impl Iterator<Item = Check> {
    [
        super::append::CHECKS,
        super::writer::CHECKS,
        super::read::CHECKS,
        super::follow::CHECKS,
        super::sessions::CHECKS,
        super::blobs::CHECKS,
        super::snapshot::CHECKS,
        super::fork::CHECKS,
        super::remove::CHECKS,
        super::stream::CHECKS,
    ]
    .into_iter()
    .flatten()
    .copied()
}
