//! Places in an order: whoever takes one moves the others down, as with Okta.

/// Which of `others` (their priorities, in order) must move, and where to, so that `taken` is free: the one that has it,
/// and whoever stands behind without a gap. A position in `others` and the new priority each.
pub(super) fn moved_down(others: &[u32], taken: u32) -> Vec<(usize, u32)> {
    let mut taken = taken;
    let mut moved = Vec::new();
    for (position, priority) in others.iter().enumerate() {
        if *priority == taken {
            taken += 1;
            moved.push((position, taken));
        }
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The others' places, the place taken, and who moves where.
    type Case = (&'static [u32], u32, &'static [(usize, u32)]);

    #[test]
    fn whoever_takes_a_place_moves_the_others_down_as_far_as_needed() {
        let cases: [Case; 5] = [
            (&[], 1, &[]),
            (&[1], 1, &[(0, 2)]),
            (&[1, 2, 3], 2, &[(1, 3), (2, 4)]),
            (&[1, 2, 5], 1, &[(0, 2), (1, 3)]),
            (&[2, 3], 1, &[]),
        ];
        for (others, taken, expected) in cases {
            assert_eq!(moved_down(others, taken), expected, "{others:?} {taken}");
        }
    }
}
