//! Tests of the parts of the process engine; what users see is tested in `tests/`.

mod launch;
mod recording;
