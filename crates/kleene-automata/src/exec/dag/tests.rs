//! Graphs against all their chains.

use super::graph::index;
use super::*;
use kleene_syntax::hir::StepId;

/// A random graph of groups, with the chains that its groups stand for.
struct Model {
    dag: Dag,
    groups: Vec<(u32, Vec<Vec<Packed>>)>,
}

/// A small generator of numbers that look random.
struct Random(u64);

fn small(number: u64) -> usize {
    usize::try_from(number).expect("it is small")
}

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn model(seed: u64, preference: Preference, events: u64) -> Model {
    let mut random = Random(seed * 2 + 1);
    let mut dag = Dag::new(preference);
    let mut groups: Vec<(u32, Vec<Vec<Packed>>)> = vec![(NONE, Vec::new()); 3];
    for seq in 0..events {
        let time = i64::try_from(seq).expect("it is small");
        let event = dag.add_moment(DagEvent { event: index(small(seq)), seq, time });
        // The event extends the groups as they were before it; one of them is a start.
        let before = groups.clone();
        for (step, from) in (0..2_u32).flat_map(|step| (0..4).map(move |from| (step, from))) {
            let (is_taken, to) = (random.below(3) == 0, small(random.below(3)));
            let item = u64::from(event) << 32 | u64::from(step);
            let (below, chains) = match before.get(from) {
                Some((NONE, _)) => continue,
                Some((root, chains)) => (*root, chains.clone()),
                None => (NONE, vec![Vec::new()]),
            };
            if !is_taken {
                continue;
            }
            let node = dag.event(event, StepId::new(step as usize), below);
            groups[to].0 = dag.with_newer(node, groups[to].0);
            groups[to].1.extend(chains.into_iter().map(|mut chain| {
                chain.insert(0, item);
                chain
            }));
        }
    }
    Model { dag, groups }
}

fn sort(chains: &mut [Vec<Packed>]) {
    chains.sort_by(|a, b| {
        let start = |chain: &Vec<Packed>| chain.last().map(|start| start >> 32);
        start(a).cmp(&start(b)).then(b.len().cmp(&a.len())).then(a.cmp(b))
    });
}

fn listed(dag: &Dag, root: u32, direction: Direction) -> Vec<Vec<Packed>> {
    let mut listing = ChainListing::new(dag, root, direction);
    let mut all = Vec::new();
    while let Some(chain) = listing.next() {
        all.push(chain.to_vec());
    }
    all
}

fn check(dag: &Dag, root: u32, chains: &[Vec<Packed>], preference: Preference) {
    if root == NONE {
        assert!(chains.is_empty());
        return;
    }
    let mut expected = chains.to_vec();
    sort(&mut expected);
    assert_eq!(dag.count(root), (expected.len() as u64, false));
    assert_eq!(listed(dag, root, Direction::Forward), expected);
    let best = match preference {
        Preference::First => expected.iter().min_by_key(|_| 0),
        Preference::Longest => expected.iter().min_by_key(|chain| usize::MAX - chain.len()),
        Preference::Shortest => expected.iter().min_by_key(|chain| chain.len()),
    };
    let best = best.expect("there is one");
    let moments = dag.moments();
    let stored = |item: &Packed| {
        let (at, step) = unpacked(*item);
        (moments[at].event, step)
    };
    assert_eq!(&dag.best(root), best);
    let mut of_starts = expected.clone();
    of_starts.dedup_by_key(|chain| chain.last().map(|start| start >> 32));
    assert_eq!(firsts(dag, root), of_starts);
    for weight in dag.weights(root) {
        let has = |chain: &&Vec<Packed>| {
            chain.iter().any(|item| stored(item) == (weight.event, weight.step))
        };
        assert_eq!(weight.chains, expected.iter().filter(has).count() as u64);
    }
    expected.reverse();
    assert_eq!(listed(dag, root, Direction::Backward), expected);
}

#[test]
fn graphs_have_the_chains_that_were_put_in() {
    for seed in 1..400 {
        let preference =
            [Preference::First, Preference::Longest, Preference::Shortest][small(seed) % 3];
        let Model { mut dag, mut groups } = model(seed, preference, 4 + seed % 10);
        if groups.iter().any(|(_, chains)| chains.len() > 4000) {
            continue;
        }
        for (root, chains) in &groups {
            check(&dag, *root, chains, preference);
        }
        let oldest = seed % 5;
        for (root, chains) in groups.iter().filter(|(root, _)| *root != NONE) {
            for side in [StartSide::Left, StartSide::Over] {
                let (part, _) = dag.side(*root, side, |start| start.seq < oldest);
                let is_over =
                    |chain: &Vec<Packed>| chain.last().is_none_or(|one| one >> 32 < oldest);
                let is_of = |chain: &&Vec<Packed>| is_over(chain) == (side == StartSide::Over);
                let chains: Vec<_> = chains.iter().filter(is_of).cloned().collect();
                if let Some(part) = part {
                    check(&dag, part, &chains, preference);
                }
            }
        }
        let before = dag.moments().len();
        let mut released = 0;
        let roots = groups.iter_mut().map(|(root, _)| root);
        dag.collect(roots, |start| start.seq >= oldest, |_| released += 1);
        assert_eq!(before - released, dag.moments().len());
        // Numbers have changed: chains are compared by their events in the store.
        for (root, chains) in groups {
            let moments = dag.moments();
            let number = |item: &Packed| {
                let event = index(small(item >> 32));
                let at = moments.iter().position(|moment| moment.event == event)?;
                Some((at as u64) << 32 | item & 0xffff_ffff)
            };
            let is_kept =
                |chain: &&Vec<Packed>| chain.last().is_some_and(|start| start >> 32 >= oldest);
            let chains: Vec<Vec<Packed>> = chains
                .iter()
                .filter(is_kept)
                .map(|chain| chain.iter().map(|item| number(item).expect("it lives")).collect())
                .collect();
            check(&dag, root, &chains, preference);
        }
    }
}

#[test]
fn starts_that_are_out_of_time_are_left_out_on_one_path() {
    let mut dag = Dag::new(Preference::First);
    let mut root = NONE;
    for at in 0..5000_u32 {
        let time = i64::from(at);
        let event = dag.add_moment(DagEvent { event: at, seq: u64::from(at), time });
        let start = dag.event(event, StepId::new(0), NONE);
        root = dag.with_newer(start, root);
        if at % 1000 == 999 {
            dag.collect([&mut root].into_iter(), |start| start.time > time - 2500, |_| {});
        }
        let before = dag.len();
        let (left, looks) = dag.side(root, StartSide::Left, |start| start.time <= time - 100);
        let left = left.expect("there is one path");
        assert_eq!(dag.count(left).0, u64::from(at + 1).min(100));
        assert!(looks < 60 && dag.len() < before + 30, "{looks} looks at {at}");
    }
}

#[test]
fn large_sets_are_listed_in_order_and_counted() {
    // Every subset of the events, in one graph with 2 nodes for each.
    let mut dag = Dag::new(Preference::First);
    let mut root = NONE;
    for at in 0..16_u32 {
        let event = dag.add_moment(DagEvent { event: at, seq: u64::from(at), time: i64::from(at) });
        let behind = if root == NONE { NONE } else { dag.event(event, StepId::new(0), root) };
        let start = dag.event(event, StepId::new(1), NONE);
        let both = dag.union(start, behind);
        root = dag.union(both, root);
    }
    assert_eq!(dag.count(root), ((1 << 16) - 1, false));
    let mut expected = listed(&dag, root, Direction::Backward);
    expected.reverse();
    let mut sorted = expected.clone();
    sort(&mut sorted);
    sorted.dedup();
    assert_eq!(sorted.len(), (1 << 16) - 1);
    assert_eq!(listed(&dag, root, Direction::Forward), sorted);
    assert_eq!(expected, sorted);
}

#[test]
fn counts_saturate_and_say_so() {
    let mut dag = Dag::new(Preference::Longest);
    let mut root = NONE;
    for at in 0..70_u32 {
        let event = dag.add_moment(DagEvent { event: at, seq: u64::from(at), time: 0 });
        let node = dag.event(event, StepId::new(0), root);
        root = dag.union(node, root);
        if at < 63 {
            assert_eq!(dag.count(root), (1 << at, false), "{at}");
        }
    }
    assert_eq!(dag.count(root), (u64::MAX, true));
}

/// A set of one chain for each start: each event extends all chains, and is a start itself.
#[test]
fn a_set_is_divided_by_its_starts() {
    for seed in 0..40 {
        let mut random = Random(seed * 2 + 1);
        let mut dag = Dag::new(Preference::First);
        let mut roots = [NONE; 2];
        let mut lengths: Vec<(u64, i64)> = Vec::new();
        for seq in 0..=random.below(20) {
            let time = i64::try_from(seq).expect("it is small");
            let event = dag.add_moment(DagEvent { event: index(small(seq)), seq, time });
            for root in &mut roots {
                *root = if *root == NONE { NONE } else { dag.event(event, StepId::new(1), *root) };
            }
            let start = dag.event(event, StepId::new(0), NONE);
            let into = small(random.below(2));
            roots[into] = dag.union(start, roots[into]);
            for (_, length) in &mut lengths {
                *length += 1;
            }
            lengths.push((seq, 1));
        }
        let whole = dag.union(roots[0], roots[1]);
        let wanted: Vec<u64> =
            lengths.iter().map(|(seq, _)| *seq).filter(|_| random.below(3) == 0).collect();
        let before = dag.len();
        let parts = dag.divide(whole, &wanted);
        let of = |dag: &Dag, root: u32| {
            let mut found = if root == NONE { Vec::new() } else { dag.chain_sums(root, |_, _| 1) };
            found.sort_unstable_by_key(|(start, _)| start.seq);
            found.into_iter().map(|(start, length)| (start.seq, length)).collect::<Vec<_>>()
        };
        let (inside, outside): (Vec<_>, Vec<_>) =
            lengths.iter().copied().partition(|(seq, _)| wanted.contains(seq));
        assert_eq!(of(&dag, parts.wanted), inside, "seed {seed}");
        assert_eq!(of(&dag, parts.rest), outside, "seed {seed}");
        assert_eq!(of(&dag, whole), lengths, "seed {seed}: the set is as it was");
        if wanted.is_empty() || wanted.len() == lengths.len() {
            assert_eq!(dag.len(), before, "seed {seed}: there is nothing to divide");
        }
    }
}
