/** The first page, and how challenges of one series lead to each other. */
import { expect, test } from 'vitest';
import type { ChallengeDocument } from '../../src/lib/api/schema';
import { useBrowser } from './browser';
import { closeChallenge, Person, predictions, publishChallenge, settledBoard } from './people';

const { visitor } = useBrowser();

const SIZE = { images: 200, classes: 4 };
const HOUR_MS = 3_600_000;

test('an open challenge says who leads with what error, how many teams there are and how much time is left', async () => {
    const title = 'Three days to go';
    const closes = new Date(Date.now() + 74 * HOUR_MS).toISOString();
    const organizer = await Person.organizer();
    await publishChallenge(organizer, { slug: 'three-days', title, schedule: { closes }, leaderboard: { public_fraction: 1 } }, SIZE);
    await (await Person.register('home-second')).submit('three-days', predictions(SIZE, 4), 'Every fourth wrong');
    await (await Person.register('home-first')).submit('three-days', predictions(SIZE, 10), 'Every tenth wrong');
    // The board hears of a score a moment after it is there, and the first page does not follow it.
    await settledBoard(organizer, 'three-days', 'public', 2);
    const ada = await visitor();
    await ada.goto('/');
    const card = ada.page.getByRole('article').filter({ hasText: title });
    // 20 of 200 are wrong; below fifty classes the top-1 error ranks.
    expect(await card.locator('.error').innerText()).toMatch(/^10\.00\s%\s*top-1 error$/);
    expect(await card.locator('.who').innerText()).toBe('home-first Every tenth wrong');
    for (const fact of ['Open', '2 teams', '2 submissions', '200 images, 4 classes']) await card.getByText(fact, { exact: true }).waitFor();
    await card.getByText(/^3 days [12] h left$/).waitFor();
    await card.getByRole('link', { name: title }).click();
    await ada.page.waitForURL('**/challenges/three-days');
    await ada.leave();
});

test('a past challenge shows who was first on the private images, whoever led on the public ones', async () => {
    const organizer = await Person.organizer();
    const [slug, title] = ['final-leader', 'With a surprise'];
    await publishChallenge(organizer, { slug, title, leaderboard: { public_fraction: 0.5 } }, SIZE);
    const peak = await Person.register('home-peak');
    await peak.submit(slug, predictions(SIZE, 10), 'Leads in public');
    // The private board counts what a team selected: this one is wrong every second time.
    const selected = await peak.submit(slug, predictions(SIZE, 2), 'Selected by mistake');
    await peak.ask('PATCH', `/submissions/${selected}`, JSON.stringify({ selected: true }));
    await (await Person.register('home-rival')).submit(slug, predictions(SIZE, 4), 'Every fourth wrong');
    const ada = await visitor();
    await ada.goto('/');
    const card = ada.page.getByRole('article').filter({ hasText: title });
    await card.getByText('Leads in public').waitFor();
    await closeChallenge(organizer, slug);
    await ada.goto('/');
    const past = ada.page.getByRole('region', { name: 'Past' }).getByRole('article').filter({ hasText: title });
    expect(await past.locator('.who').innerText()).toBe('home-rival Every fourth wrong');
    await past.getByText('top-1 error, final').waitFor();
    await ada.leave();
});

test('challenges of one series are linked to each other, others are not', async () => {
    const organizer = await Person.organizer();
    for (const [slug, title, series] of [
        ['spring', 'Spring', 'seasons'],
        ['autumn', 'Autumn', 'seasons'],
        ['weekdays', 'Weekdays', null],
    ] as const) {
        await publishChallenge(organizer, { slug, title, series }, SIZE);
    }
    const ada = await visitor();
    // As if its images were hidden: then a model is what one submits.
    await ada.page.route('**/api/v1/challenges/spring', async (route) => {
        const answer = await route.fetch();
        const challenge = (await answer.json()) as ChallengeDocument;
        await route.fulfill({ response: answer, json: { ...challenge, test: { ...challenge.test, public_images: false } } });
    });
    await ada.goto('/challenges/spring');
    await ada.page.getByText('A network as').waitFor();
    const series = ada.page.getByRole('navigation', { name: 'In the same series' });
    expect(await series.getByRole('listitem').allInnerTexts()).toEqual([expect.stringMatching(/^Autumn\s+Open$/)]);
    await series.getByRole('link', { name: 'Autumn' }).click();
    await ada.page.waitForURL('**/challenges/autumn');
    await series.getByRole('link', { name: 'Spring' }).waitFor();
    // What is said of one is not said of the next.
    await ada.page.getByText('A file with up to five guesses').waitFor();
    await ada.goto('/challenges/weekdays');
    expect(await series.count()).toBe(0);
    await ada.leave();
});

test('addresses that people shorten lead somewhere', async () => {
    const ada = await visitor();
    ada.expectTrouble(/401/);
    await ada.goto('/challenges');
    await ada.page.waitForURL('/');
    await ada.goto('/submissions');
    await ada.page.waitForURL('/account');
    await ada.page.getByRole('heading', { name: 'Please sign in' }).waitFor();
    await ada.goto('/submissions/0190163d-8694');
    await ada.page.getByText('This is no address of a submission').waitFor();
    expect(await ada.page.getByText('If this is yours, sign in').count()).toBe(0);
    await ada.leave();
});
