//! Events with `#[derive(Portable)]`: bytes for snapshots, and events again.
#![cfg(feature = "derive")]
#![expect(clippy::disallowed_types, reason = "events have what their programs use")]

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kleene::diagnostic::Source;
use kleene::event::{Portable as _, PortableField as _};
use kleene::stream::{Ignore, Output, RestoreError};
use kleene::{Engine, Event, Fields, Portable, PortableField, RuleSet, Timestamp};

#[derive(Clone, Debug, PartialEq, Fields, PortableField)]
struct Place {
    city: String,
    zip: Option<u32>,
    floors: Vec<i8>,
}

#[derive(Clone, Copy, Debug, PartialEq, PortableField)]
enum Level {
    Low,
    Between(u8, char),
    High { by: f64 },
}

#[derive(Clone, Debug, Event, PartialEq, Portable)]
struct Login {
    user: String,
    session: u64,
    ok: bool,
    share: f32,
    from: IpAddr,
    via: Option<Ipv6Addr>,
    took: Duration,
    seen: Option<SystemTime>,
    note: Cow<'static, str>,
    host: Arc<str>,
    tags: Vec<String>,
    labels: BTreeMap<String, i64>,
    counts: HashMap<String, u64>,
    #[event(nested)]
    place: Option<Place>,
    #[event(skip)]
    level: Level,
    #[event(skip)]
    #[portable(skip)]
    cached: std::marker::PhantomData<fn()>,
    at: Timestamp,
}

#[derive(Clone, Debug, Event, PartialEq, Portable)]
enum Shop {
    Created { order: u32, at: Timestamp },
    Paid { order: u32, amount: f64, at: Timestamp },
    Login(Box<Login>),
}

fn login() -> Login {
    Login {
        user: "ann \u{1f600}".into(),
        session: u64::MAX,
        ok: true,
        share: -0.0,
        from: IpAddr::V4(Ipv4Addr::LOCALHOST),
        via: Some(Ipv6Addr::LOCALHOST),
        took: Duration::new(3, 999_999_999),
        seen: Some(SystemTime::UNIX_EPOCH - Duration::from_nanos(1)),
        note: "".into(),
        host: "h".into(),
        tags: vec!["a".into(), "b".into()],
        labels: [("x".into(), -1), ("y".into(), i64::MIN)].into(),
        counts: (0..50).map(|n: u64| (n.to_string(), n)).collect(),
        place: Some(Place { city: "Oslo".into(), zip: None, floors: vec![-1, 0] }),
        level: Level::High { by: 0.5 },
        cached: std::marker::PhantomData,
        at: Timestamp::from_millis(-7),
    }
}

fn bytes(event: &impl kleene::event::Portable) -> Vec<u8> {
    let mut out = Vec::new();
    event.to_bytes(&mut out);
    out
}

#[test]
fn events_come_back() {
    let at = Timestamp::MAX;
    let mut levels = [login(), login(), login()];
    levels[0].level = Level::Low;
    levels[1].level = Level::Between(7, '\u{e4}');
    (levels[1].place, levels[1].via, levels[1].seen) = (None, None, None);
    let events = levels.map(|login| Shop::Login(Box::new(login))).into_iter().chain([
        Shop::Created { order: 1, at },
        Shop::Paid { order: u32::MAX, amount: f64::INFINITY, at },
    ]);
    for event in events {
        let written = bytes(&event);
        assert_eq!(Shop::from_bytes(&written), Some(event.clone()));
        assert_eq!(bytes(&event.clone()), written, "equal events have equal bytes");
        for end in 0..written.len() {
            assert_eq!(Shop::from_bytes(&written[..end]), None, "{event:?} cut after {end}");
        }
        assert_eq!(Shop::from_bytes(&[&written[..], &[0]].concat()), None);
        // Damage is found, or gives another event: it never panics, nor takes memory that is not
        // there.
        for place in 0..written.len() {
            let mut damaged = written.clone();
            damaged[place] ^= 0xff;
            let _ = Shop::from_bytes(&damaged);
        }
    }
}

/// The same types as they were before, and as they may become.
mod versions {
    use super::*;

    macro_rules! version {
        ($module:ident { $($field:ident: $ty:ty),* }) => {
            mod $module {
                #[derive(Clone, Debug, kleene::Event, PartialEq, kleene::Portable)]
                pub(super) struct Paid { $(pub(super) $field: $ty),* }
            }
        };
    }

    version!(old { order: u32, at: kleene::Timestamp });
    version!(more { order: u32, amount: u32, at: kleene::Timestamp });
    version!(renamed { number: u32, at: kleene::Timestamp });
    version!(retyped { order: i32, at: kleene::Timestamp });

    #[derive(Clone, Debug, Event, PartialEq, Portable)]
    enum Reordered {
        Refunded { order: u32, at: Timestamp },
        Paid { order: u32, amount: f64, at: Timestamp },
        Created { order: u32, at: Timestamp },
    }

    #[test]
    fn bytes_of_other_fields_are_refused_and_none_is_read_for_another() {
        let at = Timestamp::from_millis(5);
        let written = bytes(&old::Paid { order: 7, at });
        assert!(old::Paid::from_bytes(&written).is_some());
        assert_eq!(more::Paid::from_bytes(&written), None);
        assert_eq!(renamed::Paid::from_bytes(&written), None);
        assert_eq!(retyped::Paid::from_bytes(&written), None);
    }

    #[test]
    fn variants_are_known_by_name() {
        let at = Timestamp::from_millis(5);
        let created = bytes(&Shop::Created { order: 7, at });
        assert_eq!(Reordered::from_bytes(&created), Some(Reordered::Created { order: 7, at }));
        let refunded = bytes(&Reordered::Refunded { order: 7, at });
        assert_eq!(Shop::from_bytes(&refunded), None);
    }

    #[test]
    fn a_snapshot_of_an_older_type_is_an_error() {
        let rule = "rule twice { key order  match paid -> paid }";
        let rules = |builder: kleene::ruleset::RuleSetBuilder<'_>| {
            builder.source(Source::new("r.cep", rule)).build().unwrap()
        };
        let of_old = rules(RuleSet::builder().events::<old::Paid>());
        let mut engine = Engine::<old::Paid>::builder().rules(&of_old).build().unwrap();
        let at = Timestamp::from_millis(5);
        engine.push(&old::Paid { order: 7, at }, &mut Ignore).unwrap();
        let of_more = rules(RuleSet::builder().events::<more::Paid>());
        let restored =
            Engine::<more::Paid>::builder().rules(&of_more).restore(&[&engine.snapshot()]);
        assert_eq!(restored.unwrap_err(), RestoreError::Event);
    }
}

#[test]
fn an_engine_goes_on_with_derived_events() {
    let rule = "rule paid { key order  match created -> paid as p emit { amount: p.amount } }
        rule home { match login[labels.x < 0] as l -> created emit { tags: l.tags } }";
    let rules = RuleSet::builder().events::<Shop>().source(Source::new("shop.cep", rule));
    let rules = rules.build().unwrap();
    let builder = || Engine::<Shop>::builder().rules(&rules);
    let at = |second: i64| Timestamp::from_millis(1000 * second);
    let mut seen = login();
    seen.session = 1;
    seen.counts.clear();
    let mut engine = builder().build().unwrap();
    engine.push(&Shop::Login(Box::new(seen)), &mut Ignore).unwrap();
    engine.push(&Shop::Created { order: 1, at: at(1) }, &mut Ignore).unwrap();
    let snapshot = engine.snapshot();
    let (mut restored, _) = builder().restore(&[&snapshot]).unwrap();
    let (mut expected, mut found): (Vec<Output<Shop>>, Vec<Output<Shop>>) = (vec![], vec![]);
    let rest =
        [Shop::Paid { order: 1, amount: 2.5, at: at(2) }, Shop::Created { order: 2, at: at(3) }];
    for event in rest {
        engine.push(&event, &mut expected).unwrap();
        restored.push(&event, &mut found).unwrap();
    }
    assert!(!found.is_empty());
    assert_eq!(found, expected);
}

#[test]
fn parts_are_read_one_after_the_other() {
    let mut out = Vec::new();
    (Level::Between(1, 'x'), Some(Level::Low)).write(&mut out);
    let mut rest = &out[..];
    assert_eq!(Level::read(&mut rest), Some(Level::Between(1, 'x')));
    assert_eq!(Option::<Level>::read(&mut rest), Some(Some(Level::Low)));
    assert!(rest.is_empty());
    // A length that lies, also of items without bytes.
    let lie = usize::MAX.to_le_bytes();
    assert_eq!(Vec::<u8>::read(&mut &lie[..]), None);
    assert_eq!(Vec::<()>::read(&mut &lie[..]), None);
}
