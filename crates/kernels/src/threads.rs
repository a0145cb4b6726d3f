//! The threads that compute, and how they wait for each other.
//!
//! A network has a hundred short steps. Threads that slept between them would lose more time waking than
//! one step takes, so they spin for a moment and then yield.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use memory::NoMemory;
pub use rayon::ThreadPoolBuildError as ThreadsError;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::buffer::{Buffer, LARGE_PAGE_ELEMENTS};

/// A number of threads that run networks, one at a time, and the memory that they work in.
#[derive(Debug)]
pub struct Threads {
    /// None for one thread, which is the caller's.
    pool: Option<Mutex<ThreadPool>>,
    count: usize,
    scratch: Mutex<Scratch>,
}

/// Memory that every network needs while it runs, kept from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Feature maps of an image, a buffer a team.
    pub(crate) arenas: Vec<Buffer>,
    /// Rows in the making and lines of maps that are never there as a whole, a buffer a thread.
    pub(crate) workspaces: Vec<Buffer>,
}

impl Scratch {
    /// Makes room for `teams` arenas of `arena` elements, and for `threads` workspaces of `workspace`.
    pub(crate) fn make_room(
        &mut self,
        (teams, arena): (usize, usize),
        (threads, workspace): (usize, usize),
    ) -> Result<(), NoMemory> {
        let Self { arenas, workspaces } = self;
        // A workspace is used all the time, and so worth a large page.
        let workspace = workspace.max(LARGE_PAGE_ELEMENTS);
        for (buffers, count, len) in [(arenas, teams, arena), (workspaces, threads, workspace)] {
            // What is too small is given back before something larger is asked for.
            buffers
                .iter_mut()
                .filter(|buffer| buffer.len() < len)
                .for_each(|small| *small = Buffer::default());
            if buffers.len() < count {
                buffers.resize_with(count, Buffer::default);
            }
            for buffer in buffers.iter_mut().take(count).filter(|buffer| buffer.len() < len) {
                *buffer = Buffer::zeroed(len)?;
            }
        }
        Ok(())
    }
}

impl Threads {
    /// `count` threads; at least one.
    ///
    /// # Errors
    /// When the system refuses to start them.
    pub fn new(count: usize) -> Result<Self, ThreadsError> {
        let count = count.max(1);
        let name = |index| format!("kernels-{index}");
        let pool = || ThreadPoolBuilder::new().num_threads(count).thread_name(name).build().map(Mutex::new);
        let pool = if count > 1 { Some(pool()?) } else { None };
        Ok(Self { pool, count, scratch: Mutex::default() })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The memory of the network that runs now; the next has to wait.
    pub(crate) fn scratch(&self) -> MutexGuard<'_, Scratch> {
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `make` gives for each of `items`, in their order. Threads take an item when they have finished
    /// the one before. `make` must not use these threads itself: it would wait for its own end.
    pub fn map<T: Send, R: Send>(&self, items: Vec<T>, make: impl Fn(T) -> R + Sync) -> Vec<R> {
        let slots: Vec<Mutex<(Option<T>, Option<R>)>> =
            items.into_iter().map(|item| Mutex::new((Some(item), None))).collect();
        let next = AtomicUsize::new(0);
        self.run(|_| {
            while let Some(slot) = slots.get(next.fetch_add(1, Ordering::Relaxed)) {
                // Each slot is taken by one thread, so nobody waits for a lock.
                let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
                slot.1 = slot.0.take().map(&make);
            }
        });
        let made = slots.into_iter().map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner).1);
        made.flatten().collect()
    }

    /// Calls `work` on every thread at once, with its index.
    pub(crate) fn run(&self, work: impl Fn(usize) + Sync) {
        match &self.pool {
            // The lock keeps two callers' work apart: half of each would wait for the other half forever.
            Some(pool) => {
                let pool = pool.lock().unwrap_or_else(PoisonError::into_inner);
                pool.broadcast(|context| work(context.index()));
            }
            None => work(0),
        }
    }
}

/// How often a thread looks before it lets others run: some ten microseconds.
const SPINS: usize = 2000;

/// Threads that work on the same images, step by step.
///
/// Where processors are far apart, a cache line takes as long from one to the other as several hundred vectors of arithmetic, and a network has
/// fifty meetings an image. So members count in lines of their own, and whoever comes last to a meeting changes one line alone.
#[derive(Debug)]
pub(crate) struct Team {
    /// Items of the step that were taken of each member's own, in every other step.
    taken: [Box<[Apart]>; 2],
    /// How often members have come to a meeting, all together.
    arrived: Apart,
    /// What the members have agreed on.
    agreed: Apart,
    /// Whether a member panicked, for whom the others would wait forever.
    failed: AtomicBool,
}

/// A count in a cache line of its own, which no other count's change takes away.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Apart(AtomicUsize);

/// A thread of a team. Tells it when it panics.
#[derive(Debug)]
pub(crate) struct Member<'a> {
    team: &'a Team,
    index: usize,
    /// Meetings so far.
    met: Cell<usize>,
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.team.failed.store(true, Ordering::Relaxed);
        }
    }
}

impl Team {
    pub(crate) fn new(members: usize) -> Self {
        let taken = || (0..members).map(|_| Apart::default()).collect();
        Self {
            taken: [taken(), taken()],
            arrived: Apart::default(),
            agreed: Apart::default(),
            failed: AtomicBool::new(false),
        }
    }

    fn members(&self) -> usize {
        self.taken[0].len()
    }

    /// Its member `index`, which is kept as long as it works.
    ///
    /// # Panics
    /// Where the team has fewer.
    pub(crate) fn join(&self, index: usize) -> Member<'_> {
        assert!(index < self.members(), "member {index} of {}", self.members());
        Member { team: self, index, met: Cell::new(0) }
    }
}

impl Member<'_> {
    /// Members of the team.
    pub(crate) fn members(&self) -> usize {
        self.team.members()
    }

    /// Of the `count` items of a step, those that this member gets. Items that lie next to each other are a member's own, the same part
    /// of every step, so that what it reads was mostly written by itself and is in its cache; then those of others that nobody has taken
    /// yet, of members that have several and are still at work.
    pub(crate) fn items(&self, count: usize) -> impl Iterator<Item = usize> {
        let members = self.members();
        let begin = move |member: usize| count * member / members;
        let taken = &self.team.taken[self.met.get() % 2];
        (0..members).flat_map(move |next| {
            let of = (self.index + next) % members;
            let (first, end) = (begin(of), begin(of + 1));
            // Of one item nobody but its owner takes anything, so that it needs no count.
            let is_shared = end > first + 1;
            let alone = (next == 0 && !is_shared).then_some(first..end);
            let looks = is_shared && (next == 0 || !self.are_others_waiting());
            let count = &taken[of].0;
            let shared = std::iter::repeat_with(move || first + count.fetch_add(1, Ordering::Relaxed));
            let shared = looks.then(|| shared.take_while(move |&item| item < end));
            alone.into_iter().flatten().chain(shared.into_iter().flatten())
        })
    }

    /// Whether all others have come to the next meeting already.
    fn are_others_waiting(&self) -> bool {
        let of_this = self.team.arrived.0.load(Ordering::Relaxed) - self.met.get() * self.members();
        of_this + 1 == self.members()
    }

    /// Waits until all members are here, and panics if one never will be; then the items of the next step are counted from 0. Whatever
    /// was written before is seen after.
    pub(crate) fn meet(&self) {
        let Team { taken, arrived, failed, .. } = self.team;
        let met = self.met.get() + 1;
        self.met.set(met);
        // The counts of the step before: all have come to the meeting after it, so that nobody takes items of it any more.
        taken[met % 2][self.index].0.store(0, Ordering::Relaxed);
        let all = met * self.members();
        if arrived.0.fetch_add(1, Ordering::AcqRel) + 1 == all {
            return;
        }
        let mut spins = 0;
        while arrived.0.load(Ordering::Acquire) < all {
            // The one that failed has said why; this thread has nothing to add.
            if failed.load(Ordering::Relaxed) {
                std::panic::resume_unwind(Box::new("another thread of the team failed"));
            }
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }

    /// [`Member::meet`], where one member decides something for all, once all are here.
    pub(crate) fn meet_and(&self, decide: impl FnOnce() -> usize) -> usize {
        self.meet();
        let agreed = &self.team.agreed.0;
        if self.index == 0 {
            agreed.store(decide(), Ordering::Relaxed);
        }
        self.meet();
        agreed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for count in [1, 3] {
            let threads = Threads::new(count).unwrap();
            let squares = threads.map((0..50).collect(), |x: usize| x * x);
            assert_eq!(squares, (0..50).map(|x| x * x).collect::<Vec<_>>());
            assert_eq!(threads.map(Vec::<usize>::new(), |x| x), Vec::<usize>::new());
        }
    }

    #[test]
    fn every_item_of_a_step_is_taken_once_and_mostly_by_the_same_member() {
        for members in [1, 2, 3] {
            let threads = Threads::new(members).unwrap();
            let team = Team::new(members);
            let counts = [0, 1, 2, 7, 100];
            let took: Vec<Vec<AtomicUsize>> =
                counts.iter().map(|&count| (0..count).map(|_| AtomicUsize::new(0)).collect()).collect();
            threads.run(|index| {
                let member = team.join(index);
                for (count, took) in counts.iter().zip(&took) {
                    member.items(*count).for_each(|item| {
                        took[item].fetch_add(1, Ordering::Relaxed);
                    });
                    member.meet();
                }
            });
            assert!(took.iter().flatten().all(|times| times.load(Ordering::Relaxed) == 1), "{took:?}");
        }
        let (team, count) = (Team::new(3), 10);
        let own: Vec<usize> = team.join(1).items(count).take(3).collect();
        assert_eq!(own, [3, 4, 5], "the second third");
        assert_eq!(team.join(2).items(count).collect::<Vec<_>>(), [6, 7, 8, 9, 0, 1, 2], "and what is left");
    }

    #[test]
    fn a_member_that_panics_does_not_leave_the_others_waiting() {
        let threads = Threads::new(3).unwrap();
        let team = Team::new(3);
        let work = || {
            threads.run(|index| {
                let member = team.join(index);
                member.meet();
                // `resume_unwind` keeps the test's output quiet.
                if index == 1 {
                    std::panic::resume_unwind(Box::new("one of three"));
                }
                member.meet();
            });
        };
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err());
        // The threads are there for the next.
        assert_eq!(threads.map(vec![1, 2, 3, 4], |x| x + 1), [2, 3, 4, 5]);
    }
}
