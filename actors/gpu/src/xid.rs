//! Xids: error numbers of the NVIDIA driver.

/// What an Xid means, if the device cannot be used after it until it is reset.
///
/// Those whose immediate action is `RESET_GPU` or `RESTART_BM` on A100 or H100 in NVIDIA's catalog
/// (docs.nvidia.com/deploy/xid-errors/analyzing-xid-catalog.html), and 48 and 74, of which it says that a reset or a
/// reboot is needed to clear them. Not 155, which a link that is taken down on purpose reports too. All others end an
/// application, which is its replica's business, or only inform.
pub(crate) fn fatal(xid: u64) -> Option<&'static str> {
    Some(match xid {
        46 => "gpu stopped processing",
        48 => "double bit ecc error",
        62 => "internal micro-controller halt",
        64 => "gpu memory remapping failure",
        74 => "nvlink error",
        79 => "gpu has fallen off the bus",
        95 => "uncontained memory error",
        109 => "context switch timeout",
        110 => "security fault",
        119 => "gsp rpc timeout",
        120 => "gsp error",
        136 => "link training failed",
        140 => "ecc unrecovered error",
        143 => "gpu initialization error",
        156 => "resource retirement event",
        158 => "gpu fatal timeout",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_applications_own_errors_do_not_cost_the_device() {
        // Illegal accesses, a killed process, a contained memory error.
        for xid in [13, 31, 43, 45, 63, 94, 154] {
            assert_eq!(fatal(xid), None);
        }
        assert_eq!(fatal(79), Some("gpu has fallen off the bus"));
    }
}
