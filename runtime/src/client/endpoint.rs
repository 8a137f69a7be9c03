//! A gateway's address.

use hyper::Uri;

use super::error::Error;

/// `http://HOST:PORT/BASE`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Host and port, as a `Host` header wants them.
    pub(super) authority: String,
    /// Path in front of every route, without a slash at its end; mostly empty.
    pub(super) base: String,
}

impl Endpoint {
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        let refuse = |why| Error::BadUrl {
            url: url.to_owned(),
            why,
        };
        let uri: Uri = url.trim().parse().map_err(|_| refuse("expected http://HOST:PORT"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(refuse(
                    "TLS ends at a proxy in front of the gateways; use the address behind it",
                ));
            }
            _ => return Err(refuse("expected http://HOST:PORT")),
        }
        let authority = uri.authority().ok_or_else(|| refuse("expected http://HOST:PORT"))?;
        let port = authority.port_u16().unwrap_or(80);
        Ok(Self {
            authority: format!("{}:{port}", authority.host()),
            base: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}{}", self.authority, self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let plain = Endpoint::parse("http://127.0.0.1:8888/").unwrap();
        assert_eq!((plain.authority.as_str(), plain.base.as_str()), ("127.0.0.1:8888", ""));
        let deep = Endpoint::parse("http://gate/hub/x/?token=1").unwrap();
        assert_eq!(deep.url(), "http://gate:80/hub/x");
        assert_eq!(Endpoint::parse("http://[::1]:1").unwrap().authority, "[::1]:1");
        for bad in ["", "127.0.0.1:8888", "https://a:1", "ftp://a:1", "http://"] {
            assert_eq!(Endpoint::parse(bad).unwrap_err().code(), "NB0131", "{bad}");
        }
    }
}
