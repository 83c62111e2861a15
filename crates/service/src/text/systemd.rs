use torsade_core::{Adopted, Endpoint, EndpointError, ToEndpoint};

use super::arguments::Read;
use super::{Arguments, TextFault};

/// A socket that a service manager made for this process, for `systemd:` in endpoints' texts.
///
/// `torsade::activated_sockets()` has them; [`Endpoints::with_sockets`](super::Endpoints::with_sockets)
/// takes them.
#[derive(Clone, Debug)]
pub struct PassedSocket {
    /// What its unit calls it (`FileDescriptorName=`), if the manager says.
    pub name: Option<String>,
    /// To be listened on, by one listener.
    pub socket: Adopted,
}

/// `systemd:domain=INET:index=0`, `systemd:domain=UNIX:name=web`.
pub(crate) fn server(sockets: &[PassedSocket], arguments: &mut Arguments<'_>) -> Read {
    const DOMAINS: [&str; 3] = ["INET", "INET6", "UNIX"];
    let domain = arguments.value("domain", Some(0))?;
    let domain = domain.ok_or_else(|| arguments.missing("domain"))?;
    if !DOMAINS.contains(&domain.as_str()) {
        return Err(arguments.invalid(&domain, "INET, INET6 or UNIX"));
    }
    let index = arguments.value("index", Some(1))?;
    let name = arguments.value("name", None)?;
    let (socket, chosen) = match (index, name) {
        (Some(index), None) => {
            let number = index.as_str().parse::<usize>();
            let number = number.map_err(|_| arguments.invalid(&index, "a number from 0 on"))?;
            (sockets.get(number), index)
        }
        (None, Some(name)) => {
            let wanted = Some(name.as_str());
            let mut sockets = sockets.iter();
            (sockets.find(|it| it.name.as_deref() == wanted), name)
        }
        (None, None) => return Err(arguments.missing("index or name")),
        (Some(_), Some(_)) => {
            let (name, or) = ("index".to_owned(), "name".to_owned());
            return Err(arguments.wrong_prefix(TextFault::Both { name, or }));
        }
    };
    let Some(passed) = socket else {
        let why = format!(
            "this process was passed {} sockets, and not that",
            sockets.len()
        );
        return Err(arguments.unusable(&chosen, why));
    };
    let endpoint: Result<Endpoint, EndpointError> = passed.socket.to_endpoint();
    endpoint.map_err(|error| arguments.refused(error))
}
