//! Protocol names of a chain, all under `/rota/<chain>/`.

use libp2p::StreamProtocol;

use crate::{Class, RequestProtocol, error::P2pError};

/// What a protocol name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    Hello,
    Direct(Class),
    Request(RequestProtocol),
}

/// The names of one chain.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) hello: StreamProtocol,
    direct: Vec<(Class, StreamProtocol)>,
    requests: Vec<(RequestProtocol, StreamProtocol)>,
}

impl Names {
    pub(crate) fn new(chain_id: u64) -> Result<Self, P2pError> {
        let name = |rest: &str| {
            StreamProtocol::try_from_owned(format!("/rota/{chain_id}/{rest}/1"))
                .map_err(|error| P2pError::Setup(error.to_string()))
        };
        let direct = Class::ALL
            .into_iter()
            .map(|class| Ok((class, name(&format!("direct/{}", class.name()))?)))
            .collect::<Result<_, P2pError>>()?;
        let requests = RequestProtocol::ALL
            .into_iter()
            .map(|protocol| Ok((protocol, name(protocol.name())?)))
            .collect::<Result<_, P2pError>>()?;
        Ok(Self { hello: name("hello")?, direct, requests })
    }

    pub(crate) fn all(&self) -> Vec<StreamProtocol> {
        std::iter::once(self.hello.clone())
            .chain(self.direct.iter().map(|(_, name)| name.clone()))
            .chain(self.requests.iter().map(|(_, name)| name.clone()))
            .collect()
    }

    pub(crate) fn meaning(&self, name: &StreamProtocol) -> Option<Meaning> {
        if *name == self.hello {
            return Some(Meaning::Hello);
        }
        let direct = self.direct.iter().find(|(_, other)| other == name);
        let request = self.requests.iter().find(|(_, other)| other == name);
        direct
            .map(|(class, _)| Meaning::Direct(*class))
            .or_else(|| request.map(|(protocol, _)| Meaning::Request(*protocol)))
    }

    pub(crate) fn direct(&self, class: Class) -> StreamProtocol {
        let found = self.direct.iter().find(|(other, _)| *other == class);
        found.map(|(_, name)| name.clone()).expect("built from all classes")
    }

    pub(crate) fn request(&self, protocol: RequestProtocol) -> StreamProtocol {
        let found = self.requests.iter().find(|(other, _)| *other == protocol);
        found.map(|(_, name)| name.clone()).expect("built from all protocols")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_means_what_it_was_made_for() {
        let names = Names::new(9).unwrap();
        assert_eq!(names.all().len(), 8);
        assert_eq!(names.direct(Class::Votes).as_ref(), "/rota/9/direct/votes/1");
        for class in Class::ALL {
            assert_eq!(names.meaning(&names.direct(class)), Some(Meaning::Direct(class)));
        }
        for protocol in RequestProtocol::ALL {
            assert_eq!(names.meaning(&names.request(protocol)), Some(Meaning::Request(protocol)));
        }
        assert_eq!(names.meaning(&Names::new(8).unwrap().hello), None);
    }
}
