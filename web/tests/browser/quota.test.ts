/** What a team may still do: submissions left, and places on the private board. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Quota } from '../../src/lib/api/schema';
import { expectAccessible } from './accessible';
import { useBrowser } from './browser';
import { awayFromMidnight, Person, predictions, publishChallenge } from './people';

const { visitor } = useBrowser();

const SIZE = { images: 200, classes: 4 };

beforeAll(awayFromMidnight, 240_000);

/** The next midnight in UTC, in the form of the pages' `datetime` attributes. */
function nextMidnight(): string {
    const now = new Date();
    return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() + 1)).toISOString().replace('.000Z', 'Z');
}

test('a spent quota is shown with when it renews, and nothing can be sent', async () => {
    const slug = 'one-a-day';
    await publishChallenge(await Person.organizer(), { slug, title: 'One a day', limits: { per_day: 1 } }, SIZE);
    const person = await Person.register('spent');
    await person.submit(slug, predictions(SIZE, 5), 'The one of today');
    const who = await visitor();
    const { page } = who;
    await who.signIn(person);
    const before = nextMidnight();
    await who.goto(`/challenges/${slug}/submit`);
    await page.getByText('No submission left for now').waitFor();
    const renewal = await page.locator('.notice time').first().getAttribute('datetime');
    // The day may have changed meanwhile.
    expect([before, nextMidnight()]).toContain(renewal);
    const card = page.getByRole('region', { name: 'What you have left' });
    expect(await card.innerText()).toMatch(/Today\s+0 of 1 left/);
    // In local time, Berlin's, with UTC beside it.
    expect(await card.innerText()).toMatch(new RegExp(`Renews (in .+|just now): .*0[12]:00 (CET|CEST|GMT\\+[12]) \\(${renewal?.slice(0, 10)} 00:00 UTC\\)`));
    await page.locator('form input[type=file]').first().setInputFiles({ name: 'p.csv', mimeType: 'text/csv', buffer: Buffer.from(predictions(SIZE, 4)) });
    await page.getByText('Looks right').waitFor();
    expect(await page.getByRole('button', { name: 'Submit' }).isDisabled()).toBe(true);
    await expectAccessible(page);
    await who.goto('/account');
    expect(await page.getByRole('region', { name: 'One a day' }).innerText()).toMatch(/Today\s+0 of 1 left/);
    await who.leave();
});

test('who waits for the next one may send it then, with the form as it was', async () => {
    const slug = 'renewed';
    await publishChallenge(await Person.organizer(), { slug, title: 'Renewed', limits: { per_day: 1 } }, SIZE);
    const who = await visitor();
    const { page } = who;
    await who.signIn(await Person.register('patient'));
    // Spent for ten seconds from the first question on.
    let renewal: Date | undefined;
    await page.route('**/quota', async (route) => {
        const answer = await route.fetch();
        const quota = (await answer.json()) as Quota;
        renewal ??= new Date(Date.now() + 10_000);
        const isSpent = Date.now() < renewal.getTime();
        await route.fulfill({ response: answer, json: isSpent ? { ...quota, refusal: 'none is left today', next_allowed_at: renewal.toISOString() } : quota });
    });
    await who.goto(`/challenges/${slug}/submit`);
    await page.getByText('No submission left for now').waitFor();
    await page.getByLabel('Method').fill('Typed while waiting');
    await page.getByText('No submission left for now').waitFor({ state: 'detached' });
    await expect.poll(() => page.getByRole('button', { name: 'Submit' }).isEnabled()).toBe(true);
    expect(await page.getByLabel('Method').inputValue()).toBe('Typed while waiting');
    await who.leave();
});

describe('who has used all places', () => {
    test.each([1, 2])('of %d, is shown what is selected and may put this one in its place', async (places) => {
        const slug = `places-${places}`;
        await publishChallenge(await Person.organizer(), { slug, title: 'Places', leaderboard: { public_fraction: 0.5, final_selections: places } }, SIZE);
        const person = await Person.register(`chooser-${places}`);
        const selected: string[] = [];
        for (const place of Array.from({ length: places }, (_, index) => index + 1)) {
            const id = await person.submit(slug, predictions(SIZE, 3 + place), `Selected ${place}`);
            await person.ask('PATCH', `/submissions/${id}`, JSON.stringify({ selected: true }));
            selected.push(id);
        }
        const better = await person.submit(slug, predictions(SIZE, 10), 'A better one');
        const who = await visitor();
        const { page } = who;
        await who.signIn(person);
        await who.goto(`/submissions/${better}`);
        await page.getByRole('button', { name: 'Select this one' }).click();
        const dialog = page.getByRole('dialog');
        // The last is to give up its place: not the one that is proposed where there are several.
        const [given, last] = [selected.at(-1) ?? '', `Selected ${places}`];
        expect(await dialog.getByRole('link', { name: last }).getAttribute('href')).toBe(`/submissions/${given}`);
        await expectAccessible(page);
        if (places > 1) await dialog.getByRole('radio', { name: last }).check();
        await dialog.getByRole('button', { name: 'Select this one instead' }).click();
        await page.locator('.marks').getByText('Selected for the private board').waitFor();
        await page.getByText(`${places} of ${places} submission`).waitFor();
        const quota = (await (await person.ask('GET', `/challenges/${slug}/quota`)).json()) as { selections: { submission: string }[] };
        expect(quota.selections.map(({ submission }) => submission)).toEqual([...selected.slice(0, -1), better]);
        await who.leave();
    });
});

test('scores of one’s own submissions are in sight on a phone', async () => {
    const slug = 'on-a-phone';
    await publishChallenge(await Person.organizer(), { slug, title: 'On a phone', leaderboard: { public_fraction: 1 } }, SIZE);
    const person = await Person.register('phone');
    await person.submit(slug, predictions(SIZE, 10), 'Every tenth wrong');
    const who = await visitor({ viewport: { width: 360, height: 740 } });
    await who.signIn(person);
    for (const path of [`/challenges/${slug}/submissions`, '/account']) {
        await who.goto(path);
        const score = who.page.getByRole('row', { name: /Every tenth wrong/ }).getByText('top-1 10.00');
        await score.waitFor();
        const box = await score.boundingBox();
        expect((box?.x ?? 360) + (box?.width ?? 0)).toBeLessThanOrEqual(360);
    }
    await who.leave();
});
