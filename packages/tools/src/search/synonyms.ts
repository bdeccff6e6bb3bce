import { normaliseWord } from './words.ts';

/**
 * Words that mean the same, or nearly, in what people ask of APIs: a group a line. A word may stand in several groups. It is kept to
 * what is common to many APIs: no tool's name is in here for its own sake.
 */
const GROUPS = `
issue ticket bug defect problem
comment reply answer respond note feedback story
pull pr merge-request
merge land accept integrate
repository repo codebase project
fork copy duplicate clone
workflow pipeline ci build automation run
log logs output stdout console stderr
dispatch trigger start kick launch
collaborator teammate access contributor right permission
permission acl access right grant role share
share permission acl invite
release version publish
vulnerability dependabot advisory cve
secret credential password token key leaked
scanning leaked detect exposed
content file text body document
document file doc sheet attachment
folder directory
file folder
rate limit quota remaining calls
star bookmark favorite favourite like
user people person member somebody colleague teammate account employee human
member participant people colleague
customer client buyer shopper purchaser
compare diff difference changed
gist snippet paste
reaction emoji smiley thumb like
pod container
exec execute command shell run
scale replica copies count resize
node machine host server
evict drain kick
kick remove throw expel ban
volume disk storage
claim request
job task cron schedule scheduled nightly
namespace cluster
service expose port
version release
refund reimburse return reversal
invoice bill billing
subscription membership recurring
cancel end stop terminate abort delete
balance money funds amount
dispute contest chargeback complaint
coupon discount promotion promo voucher code
voucher coupon discount
sale discount lower reduce season
insert book
payout wire transfer withdrawal earnings
bank iban
capture take collect settle reserved
authorization reserve hold
tax vat duty percentage
rate percentage
webhook notify notification callback told hook
charge payment pay debit
payment pay purchase method
message post write mail chat text
chat conversation message
conversation channel room chat
channel conversation room
presence online active available status
snooze mute silence dnd
notification alert
email mail message gmail
draft unsent
thread conversation
trash bin wastebasket delete throw
unread new inbox
attachment file enclosed
history old past earlier log previous
reminder remind nudge
schedule later plan timed
pin top stick keep
task todo chore assignment
dependency prerequisite blocked before finished
dependent blocking
time hours duration tracking
vacation ooo holiday absence leave away
audit compliance trail
goal objective okr target
section column board list
portfolio collection
event meeting appointment calendar
calendar schedule agenda meeting appointment event
freebusy availability available busy
export download save pdf
import upload
upload attach picture image photo file
media image picture photo
avatar photo picture
revision version history earlier
permission share
checkout cart basket bag
warehouse storehouse depot stock
stock inventory pieces quantity left
inventory stock
fulfill ship deliver dispatch shipped
shipping delivery shipment
product article item good
order purchase buy
price cost
password login log signin
login signin session authenticate
logout signout
register signup enroll
film movie
person people character human
pet animal
planet world
vehicle car
edit change modify replace update
write save store put
create add new insert make open define set
list show all enumerate
get read fetch show retrieve
search find look lookup query
delete remove drop destroy erase
update change set edit modify
describe schema columns structure
schema columns structure
table relation
record row entry
database db sql
hash digest checksum sha256 md5
encode decode encrypt base64
convert transform unit translate
color colour rgb hex
blame author wrote
commit change
stash aside shelve
pull fetch download get
push upload
branch ref line
remote origin upstream
entity node thing
observation fact remark
memory remember knowledge
remember store create
think reason thinking sequential
template ready starter example
math calculate arithmetic compute
sum add total plus
random generate
parse read split
validate check correct verify valid
verify confirm check
cron schedule
jwt bearer
card credit debit
environment env variable
label tag category
category label
team group squad
organization org company
address location
report statistics analytics
block ban
lock freeze
archive close
enable activate
disable deactivate
install add
license licence
approve accept allow
reject deny decline
review approve
assign give
follow watch subscribe
rename name
move relocate
mark set
link url address
page wiki
view show
profile account
status state
email mail mailbox inbox
file disk filesystem storage
directory inside
contents list inside
text string
line row
alert warning alarm
usage consumption metrics monitoring
receipt invoice
price plan tariff
review rating
owner admin administrator
due deadline
milestone sprint iteration
subtask checklist
phone call ring dial
map place location
language locale
backup snapshot
restore recover undelete
deploy deployment rollout
deployment workload app application
restart reboot reset
health alive ping up
domain dns host
certificate tls ssl
rule filter condition
queue topic
ingress route
quota limit
credential auth authentication
settings preferences configuration options
avatar icon logo
merge combine join
wiki page documentation
package dependency library
patch fix
test check
diff patch
tag version
event activity happening
invite add join
leave exit quit
customer account
order sale
line item position
media video
tracking shipment parcel
gift present
page site
menu navigation
token key
app application integration bot
run execution
artifact binary asset
asset binary upload
sandbox environment codespace
runner machine agent
stale old outdated
duplicate same
child nested sub
parent above
weekday date calendar
timezone time
currency exchange money
number phone
id identifier key
`;

/** What several words in a row mean: `OF WORDS > MEANING`. */
const PHRASES = `
money back > refund
pull request > pull
log in > login password
sign in > login password
sign up > register
to do > task
out of office > vacation ooo
do not disturb > dnd snooze
have time > freebusy availability
step by step > sequential
who did what > audit
read only > readonly
throw out > remove kick
thumbs up > reaction
shopping cart > checkout cart
shopping basket > checkout cart
credit card > card
credit card number > luhn card
e mail > email
ip address > ip
rate limit > rate limit
time zone > timezone
two factor > mfa
line of code > blame
ways to pay > payment method
set aside > stash
`;

/** Names under which people know what others call differently: of whole products, which are integrations here. */
const PRODUCTS = 'google: drive gmail calendar sheets docs\nk8s: kubernetes\ngcal: calendar\ngdrive: drive';

const CLOSE = 0.8;
const LOOSE = 0.5;

const stem = (word: string): string => normaliseWord(word) ?? word;

const related = new Map<string, Map<string, number>>();
for (const line of GROUPS.trim().split('\n')) {
  const [head = '', ...others] = line.split(' ').map(stem);
  // The head is what APIs say: people's words lead to it, and it to them; among themselves they are only alike.
  for (const [index, other] of others.entries()) {
    relate(other, head, CLOSE);
    relate(head, other, CLOSE);
    for (const third of others.slice(index + 1)) {
      relate(other, third, LOOSE);
      relate(third, other, LOOSE);
    }
  }
}
const products = new Map(
  PRODUCTS.split('\n').map((line) => [stem(line.split(': ')[0] ?? ''), (line.split(': ')[1] ?? '').split(' ').map(stem)]),
);
const phrases = new Map(
  PHRASES.trim()
    .split('\n')
    .map((line) => {
      const [words = '', meaning = ''] = line.split(' > ');
      return [words.split(' ').map(stem).join(' '), meaning.split(' ').map(stem)] as const;
    }),
);
const LONGEST_PHRASE = Math.max(...[...phrases.keys()].map((words) => words.split(' ').length));

function relate(one: string, other: string, factor: number): void {
  const known = related.get(one) ?? new Map<string, number>();
  if (one !== other) known.set(other, Math.max(known.get(other) ?? 0, factor));
  related.set(one, known);
}

/** Words of the same meaning, as stems, each with how much it counts against the word itself. */
export const synonymsOf = (term: string): ReadonlyMap<string, number> => related.get(term) ?? NONE;
const NONE: ReadonlyMap<string, number> = new Map();

/** Integrations that are meant by a word which is in no name of theirs, as stems. */
export const productsOf = (term: string): readonly string[] => products.get(term) ?? [];

/** The phrase that begins at a place, the longest one: how many words it has, and what it means. */
export function phraseAt(terms: readonly string[], start: number): { readonly length: number; readonly meaning: readonly string[] } | null {
  for (let length = Math.min(LONGEST_PHRASE, terms.length - start); length > 1; length -= 1) {
    const meaning = phrases.get(terms.slice(start, start + length).join(' '));
    if (meaning !== undefined) return { length, meaning };
  }
  return null;
}
