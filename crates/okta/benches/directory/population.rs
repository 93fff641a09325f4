//! Who lives in the directory: people with plausible names, and groups of all sizes. The same every time.

use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp};
use kubesso_ambient::{Clock as _, SeededEntropy, SystemClock, draw};
use kubesso_directory::{Batch, Change, Email, Group, GroupId, GroupName, User, UserId, UserProfile};

use crate::house::House;

const FIRST_NAMES: &str = "Ada Aisha Alan Alejandra Amara Ana Andrei Anna Annika Anton Ayumi Beatriz Bjorn Bogdan Carla \
    Chen Chiara Claire Daniel Dmitri Elena Elif Emeka Emma Erik Fatima Felix Gabriel Giulia Grace Hannah Haruto Hassan \
    Ines Ingrid Ivan Jamal James Jana Jan Jisoo Johanna John Jonas Jose Julia Kaja Karim Katarina Kenji Lars Laura Lena \
    Leo Li Linh Lucas Luis Mara Maria Marta Mateo Max Mei Michael Mina Mohamed Naomi Nia Nikolai Noah Nora Oksana Olga \
    Oliver Omar Oscar Paolo Paul Pavel Petra Priya Rahul Raj Rosa Ruth Samuel Sanna Sara Sofia Stefan Sven Tariq Thandi \
    Tomas Ursula Vera Viktor Wei William Xenia Yara Yusuf Zainab Zoe";
const LAST_NAMES: &str = "Abe Adeyemi Ahmed Ali Almeida Andersen Bauer Becker Berg Bianchi Brown Castro Cohen Costa \
    Cruz Dahl Diaz Dubois Eriksson Evans Fernandez Fischer Flores Fontaine Garcia Gonzalez Green Gupta Haas Hansen Hill \
    Hoffmann Horvat Huang Ivanova Jansen Jensen Johnson Jones Kaya Keller Khan Kim Koch Kovacs Kowalski Kumar Larsen Lee \
    Lehmann Lopez Maier Marino Martin Martinez Mbeki Meyer Moreau Moretti Muller Nakamura Nguyen Nielsen Novak Okafor \
    Olsen Ortiz Patel Peeters Pereira Petrov Popescu Ramirez Reyes Ricci Richter Rossi Roux Saito Sanchez Santos Sato \
    Schmidt Schneider Schulz Silva Singh Smith Sokolov Suzuki Takahashi Tanaka Taylor Torres Tran Vargas Virtanen Vogel \
    Wagner Walker Wang Weber White Wilson Wong Yamamoto Yilmaz Young Zhang Zimmermann";
const DEPARTMENTS: &str = "Accounting Compliance Data Engineering Facilities Finance Hardware Legal Logistics Marketing \
    Operations People Platform Procurement Product Research Sales Security Support Treasury";
const KINDS: &str = "admins approvers auditors contractors developers editors leads managers oncall operators owners \
    readers release reviewers support testers users viewers vpn writers";

/// Changes in one transaction.
const AT_ONCE: usize = 10_000;
/// Memberships of each person, on average and besides the built-in group's.
const MEMBERSHIPS: usize = 5;

/// How many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) users: usize,
    pub(crate) groups: usize,
    /// Members of the one large group.
    pub(crate) crowd: usize,
}

impl Size {
    /// A tenth as many groups, and a tenth of all people in the large one.
    pub(crate) fn of_users(users: usize) -> Self {
        Self { users, groups: users.div_ceil(10), crowd: users.div_ceil(10) }
    }
}

/// Who was moved in.
pub(crate) struct Population {
    /// By id.
    pub(crate) users: Vec<User>,
    /// The large one first.
    pub(crate) groups: Vec<Group>,
    /// The group that everybody is in.
    pub(crate) everyone: GroupId,
    pub(crate) memberships: usize,
}

/// Fills the directory through the store.
pub(crate) async fn move_in(house: &House, size: Size) -> Result<Population> {
    let (entropy, now) = (SeededEntropy::new(19), SystemClock.now());
    let names = Names::new();
    let mut users = (0..size.users)
        .map(|number| names.user(number, &entropy, now).with_context(|| format!("user {number}")))
        .collect::<Result<Vec<_>>>()?;
    let groups =
        (0..size.groups).map(|number| names.group(number, &entropy, now)).collect::<Result<Vec<_>>>()?;
    commit(house, now, users.iter().cloned().map(Change::PutUser).collect()).await?;
    // Two whom Terraform's configuration names.
    for login in ["admin@example.test", "dev@example.test"] {
        let profile = UserProfile::with_email(Email::parse(login)?)?;
        let user = User::new(UserId::generate(&entropy), profile, now).activate(now)?;
        commit(house, now, vec![Change::PutUser(user)]).await?;
    }
    commit(house, now, groups.iter().cloned().map(Change::PutGroup).collect()).await?;
    let mut memberships = Vec::new();
    if let Some(crowd) = groups.first() {
        let members = users.iter().take(size.crowd);
        memberships.extend(members.map(|user| (crowd.id.clone(), user.id.clone())));
    }
    for user in &users {
        let wanted = drawn(&entropy, 2 * MEMBERSHIPS - 1);
        memberships.extend((0..wanted).filter_map(|_| {
            // Some groups are much larger than most.
            let place = drawn(&entropy, groups.len()) * drawn(&entropy, groups.len()) / groups.len();
            groups.get(place.max(1)).map(|group| (group.id.clone(), user.id.clone()))
        }));
    }
    memberships.sort();
    memberships.dedup();
    let number = memberships.len();
    commit(house, now, memberships.into_iter().map(|(group, user)| Change::AddMember(group, user)).collect())
        .await?;
    users.sort_by(|one, other| one.id.cmp(&other.id));
    let everyone = house.store.group_by_name(&GroupName::parse(Group::EVERYONE)?).await?;
    let everyone = everyone.context("the built-in group is not there")?.id;
    Ok(Population { users, groups, everyone, memberships: number })
}

async fn commit(house: &House, now: Timestamp, changes: Vec<Change>) -> Result<()> {
    let mut changes = changes.into_iter().peekable();
    while changes.peek().is_some() {
        let part = changes.by_ref().take(AT_ONCE).collect();
        house.store.commit(Batch::new(now, part)).await?;
    }
    Ok(())
}

/// A number below `end`.
fn drawn(entropy: &SeededEntropy, end: usize) -> usize {
    let number = u32::from_le_bytes(draw(entropy));
    usize::try_from(number).unwrap_or_default() % end.max(1)
}

struct Names {
    first: Vec<&'static str>,
    last: Vec<&'static str>,
    departments: Vec<&'static str>,
    kinds: Vec<&'static str>,
}

impl Names {
    fn new() -> Self {
        let words = |text: &'static str| text.split_whitespace().collect();
        Self {
            first: words(FIRST_NAMES),
            last: words(LAST_NAMES),
            departments: words(DEPARTMENTS),
            kinds: words(KINDS),
        }
    }

    /// Most are active; of a hundred four have left, three have not begun, one is suspended.
    fn user(&self, number: usize, entropy: &SeededEntropy, now: Timestamp) -> Result<User> {
        let first = pick(&self.first, entropy);
        let last = pick(&self.last, entropy);
        let login = format!("{}.{}{number}@example.com", first.to_lowercase(), last.to_lowercase());
        let mut profile = UserProfile::with_email(Email::parse(&login)?)?;
        profile.first_name = Some(first.to_owned());
        profile.last_name = Some(last.to_owned());
        profile.display_name = Some(format!("{first} {last}"));
        for (name, value) in [
            ("department", pick(&self.departments, entropy).to_owned()),
            ("employeeNumber", format!("E{number:06}")),
            ("title", format!("{} {}", pick(&self.departments, entropy), pick(&self.kinds, entropy))),
        ] {
            profile.other.insert(name.to_owned(), value.into());
        }
        let age = i64::try_from(drawn(entropy, 5 * 365 * 24 * 60))?;
        let joined = now - SignedDuration::from_mins(age);
        let user = User::new(UserId::generate(entropy), profile, joined);
        Ok(match drawn(entropy, 100) {
            0..4 => user.activate(joined)?.deactivate(joined)?,
            4..7 => user,
            7 => user.activate(joined)?.suspend(joined)?,
            _ => user.activate(joined)?,
        })
    }

    fn group(&self, number: usize, entropy: &SeededEntropy, now: Timestamp) -> Result<Group> {
        let (department, kind) = (pick(&self.departments, entropy), pick(&self.kinds, entropy));
        let name = format!("{}-{number:05}-{kind}", department.to_lowercase());
        let description = format!("{department}: its {kind}, number {number}");
        Ok(Group::new(GroupId::generate(entropy), GroupName::parse(&name)?, description, now))
    }
}

fn pick(words: &[&'static str], entropy: &SeededEntropy) -> &'static str {
    words.get(drawn(entropy, words.len())).copied().unwrap_or_default()
}
