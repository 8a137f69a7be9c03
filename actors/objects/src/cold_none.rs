//! In a build without the feature `s3` there are no cold copies, and whoever asks for them is told so at the start.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::options::S3;
use crate::store::Store;
use crate::{BlobId, Error};

pub(crate) enum Cold {}

impl Cold {
    pub(crate) fn start(_: &S3, _: &Arc<Store>, _: &CancellationToken) -> Result<Arc<Self>, Error> {
        Err(Error::Cold(
            "this program was built without the feature `s3`".to_owned(),
        ))
    }

    pub(crate) fn want(&self, _: BlobId) {
        match *self {}
    }

    pub(crate) fn known(&self) -> u64 {
        match *self {}
    }

    pub(crate) async fn get(&self, _: BlobId, _: &Arc<Store>) -> Result<u64, Error> {
        match *self {}
    }
}
