import { describe, expect, test } from 'vitest';
import { expectAccessible } from './accessible';
import { useBrowser, type Visitor } from './browser';
import { eventually, Person, predictions, publishChallenge } from './people';

const { visitor } = useBrowser();

const SIZE = { images: 120, classes: 4 };
const CLASSES = 'class a\nclass b\nclass c\nclass d\n';
const LABELS = `image,label\n${Array.from({ length: SIZE.images }, (_, index) => `${index},${index % SIZE.classes}`).join('\n')}\n`;

async function signedIn(next: string): Promise<Visitor> {
    const who = await visitor();
    const { handle, password } = await Person.organizer();
    await who.goto(`/sign-in?next=${encodeURIComponent(next)}`);
    await who.page.getByLabel('Handle').fill(handle);
    await who.page.getByLabel('Password', { exact: true }).fill(password);
    await who.page.keyboard.press('Enter');
    await who.page.waitForURL(`**${next}`);
    return who;
}

function file(name: string, content: string): { name: string; mimeType: string; buffer: Buffer } {
    return { name, mimeType: 'text/plain', buffer: Buffer.from(content) };
}

describe('an organizer', () => {
    test('makes a challenge by hand, uploads labels, publishes, closes it, and the private board appears', async () => {
        const olga = await signedIn('/organize');
        const { page } = olga;
        await expectAccessible(page);
        await page.getByRole('link', { name: 'New challenge' }).click();
        await page.getByRole('button', { name: 'Create the draft' }).click();
        await page.getByText('Name the challenge.').waitFor();
        await page.getByText('At least two classes').waitFor();
        await expectAccessible(page);
        await page.getByLabel('Title').fill('Made by hand');
        expect(await page.getByLabel('Slug').inputValue()).toBe('made-by-hand');
        await page.getByRole('textbox', { name: 'Classes', exact: true }).fill(CLASSES);
        await page.getByLabel('Public part, %').fill('50');
        await page.getByLabel('Reference line').fill('coin');
        await page.getByLabel('Its error, %').fill('75');
        await page.getByRole('button', { name: 'Create the draft' }).click();

        await page.waitForURL('**/organize/made-by-hand/files');
        await page.getByText('The labels of the test images').waitFor();
        await expectAccessible(page);
        const slot = page.getByRole('region', { name: 'Labels', exact: true });
        await slot.locator('input[type=file]').setInputFiles(file('labels.csv', 'image,label\n0,class a\n1,class z\n'));
        await slot.getByText('labels.csv was not taken').waitFor();
        await slot.getByText('line 3').waitFor();
        olga.expectTrouble(/422/);
        await slot.locator('input[type=file]').setInputFiles(file('labels.csv', LABELS));
        await page.getByText('version 1, 120 images').waitFor();
        // Labels that repeat a, b, c, d follow the order of the images.
        await page.getByText('Something public gives the labels away').waitFor();
        await expectAccessible(page);
        // In the words of the pages, not of the command line.
        await page.getByText('Put the images into random order').waitFor();
        expect(await page.getByText('--known-labels').count()).toBe(0);
        await page.getByLabel('The labels of this benchmark are public anyway').check();
        await page.getByRole('button', { name: 'Publish' }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Publish' }).click();
        await page.locator('.eyebrow').getByText('Open').waitFor();
        await page.getByText('Everybody sees it at').waitFor();
        await expectAccessible(page);

        const team = await Person.register('hand-team');
        const id = await team.submit('made-by-hand', predictions(SIZE, 4), 'A quarter wrong');
        await page.getByRole('link', { name: 'Overview' }).click();
        await page.getByRole('heading', { name: 'Overview' }).waitFor();
        await expectAccessible(page);
        await page.getByRole('button', { name: 'Close now' }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Close now' }).click();
        await page.getByText('is public').waitFor();
        await page.getByText('the close can no longer be moved').waitFor();

        await olga.goto(`/submissions/${id}`);
        await page.getByText('Private board').waitFor();
        expect(await page.locator('tr', { hasText: 'private' }).count()).toBe(2);
        const board = await page.request.get('/api/v1/challenges/made-by-hand/leaderboard?split=private');
        expect(((await board.json()) as { entries: unknown[] }).entries).toHaveLength(1);
        await olga.leave();
    });

    test('makes a challenge from the files of its directory', async () => {
        const olga = await signedIn('/organize?new');
        const { page } = olga;
        const toml = [
            'slug = "from-files"',
            'title = "From files"',
            'classes = "classes.txt"',
            '[test]',
            'labels = "test-labels.csv"',
            '[files]',
            'notes = "notes.txt"',
            '[limits]',
            'per_day = 7',
            '[leaderboard]',
            'primary = "top5"',
        ].join('\n');
        await page
            .locator('section', { hasText: 'From files' })
            .locator('input[type=file]')
            .setInputFiles([file('challenge.toml', toml), file('classes.txt', CLASSES), file('test-labels.csv', LABELS)]);
        await page.getByText('Named there, and not given: notes.txt').waitFor();
        expect(await page.getByLabel('Submissions per day').inputValue()).toBe('7');
        // What is typed then changes nothing else, and files that are added change nothing that was typed.
        await page.getByLabel('Title').fill('From files, in other words');
        await page.getByLabel('Submissions per day').fill('8');
        await page.locator('section', { hasText: 'From files' }).locator('input[type=file]').first().setInputFiles(file('notes.txt', 'Notes'));
        await page.getByText('notes.txt as files/notes').waitFor();
        expect(await page.getByLabel('Slug').inputValue()).toBe('from-files');
        expect(await page.getByLabel('Title').inputValue()).toBe('From files, in other words');
        expect(await page.getByLabel('Submissions per day').inputValue()).toBe('8');
        await page.getByRole('button', { name: 'Create the draft' }).click();
        await page.waitForURL('**/organize/from-files/files');
        await page.getByText('version 1, 120 images').waitFor();
        await page.getByRole('link', { name: 'Settings' }).click();
        await page.getByLabel('Title').fill('From files, renamed');
        await expectAccessible(page);
        await page.getByRole('button', { name: 'Save' }).click();
        await page.getByText('Saved.').waitFor();
        await page.locator('p.title', { hasText: 'From files, renamed' }).waitFor();
        await olga.leave();
    });

    test('hides a submission with a reason, brings it back, verifies it, and sees the queue', async () => {
        const slug = 'fashion-mnist';
        const olga = await signedIn(`/organize/${slug}/submissions`);
        const { page } = olga;
        await expectAccessible(page);
        const row = page.locator('tr', { hasText: 'Class prior' }).first();
        await row.getByRole('button', { name: 'Hide' }).click();
        await row.getByRole('dialog').getByLabel('Reason').fill('Looked at the labels');
        await row.getByRole('dialog').getByRole('button', { name: 'Hide' }).click();
        await row.getByText('Hidden').waitFor();
        await row.getByRole('link', { name: 'Class prior' }).click();
        await page.getByText('Looked at the labels').waitFor();
        await page.getByRole('button', { name: 'Show Class prior again' }).click();
        await page.getByText('Looked at the labels').waitFor({ state: 'detached' });
        await page.getByRole('button', { name: 'Verify Class prior' }).click();
        await page.getByText('Verified by the organizers').waitFor();
        await page.getByRole('button', { name: 'Take the verification of Class prior back' }).click();
        await page.getByText('Verified by the organizers').waitFor({ state: 'detached' });
        await olga.goto(`/organize/${slug}/queue`);
        await page.getByText('Nothing waits').waitFor();
        await page.getByText('Scorers').waitFor();
        await expectAccessible(page);
        await olga.leave();
    });

    test('moves the close, and is told where that cannot be', async () => {
        const slug = 'extended';
        const closes = new Date(Date.now() + 3_600_000).toISOString();
        const organizer = await Person.organizer();
        await publishChallenge(organizer, { slug, title: 'Extended', schedule: { closes } }, SIZE);
        const olga = await signedIn(`/organize/${slug}`);
        const { page } = olga;
        await page.getByRole('button', { name: 'Move the close' }).click();
        const dialog = page.getByRole('dialog');
        await dialog.getByLabel('Closes').fill('2020-05-01T12:00');
        await dialog.getByRole('button', { name: 'Move it' }).click();
        await dialog.getByText('This is over.').waitFor();
        // Berlin is two hours ahead of UTC in summer.
        await dialog.getByLabel('Closes').fill('2040-05-01T12:00');
        await dialog.getByText('2040-05-01 10:00 UTC').waitFor();
        await expectAccessible(page);
        await dialog.getByRole('button', { name: 'Move it' }).click();
        await page.getByRole('region', { name: 'Schedule' }).getByText('1 May 2040, 12:00').waitFor();
        const { schedule } = (await (await organizer.ask('GET', `/challenges/${slug}`)).json()) as { schedule: { closes: string } };
        expect(schedule.closes).toBe('2040-05-01T10:00:00Z');
        await olga.leave();
    });

    test('rescores everything, and the board is that of the new version', async () => {
        const slug = 'rescored';
        const organizer = await Person.organizer();
        await publishChallenge(organizer, { slug, title: 'Rescored' }, SIZE);
        await (await Person.register('scored-twice')).submit(slug, predictions(SIZE, 4), 'A quarter wrong');
        const olga = await signedIn(`/organize/${slug}`);
        const { page } = olga;
        await page.getByRole('button', { name: 'Rescore everything' }).click();
        await page.getByRole('dialog').getByText('The one submission is scored again').waitFor();
        await page.getByRole('dialog').getByRole('button', { name: 'Rescore' }).click();
        const versions = page.getByRole('region', { name: 'Versions of the labels' }).getByRole('row');
        await versions.filter({ hasText: 'rescore of 1' }).getByText('In use').waitFor();
        await versions.filter({ hasNotText: 'rescore' }).getByText('Before').waitFor();
        // The board hears of it a moment after the list of versions.
        const board = async (): Promise<number[]> => {
            const { label_version, entries } = (await (await organizer.ask('GET', `/challenges/${slug}/leaderboard`)).json()) as { label_version: number; entries: unknown[] };
            return [label_version, entries.length];
        };
        await expect.poll(board).toEqual([2, 1]);
        await olga.leave();
    });

    test('enters a baseline, which stands on the board without a rank', async () => {
        const slug = 'with-baseline';
        await publishChallenge(await Person.organizer(), { slug, title: 'With a baseline' }, SIZE);
        await (await Person.register('beats-it')).submit(slug, predictions(SIZE, 4), 'A quarter wrong');
        const olga = await signedIn(`/organize/${slug}/submissions`);
        const { page } = olga;
        await page.getByRole('link', { name: 'Enter a baseline' }).click();
        await page.getByText('What you submit is a baseline').waitFor();
        await page.locator('form input[type=file]').first().setInputFiles(file('coin.csv', predictions(SIZE, 2)));
        await page.getByLabel('Method').fill('A coin');
        await page.getByRole('button', { name: 'Submit' }).click();
        await page.waitForURL('**/submissions/*-*');
        await page.getByRole('heading', { name: 'Scores' }).waitFor();
        await page.locator('.marks').getByText('Baseline').waitFor();
        await page.getByText('Listed without a rank').waitFor();
        await page.getByRole('link', { name: 'Leaderboard' }).first().click();
        const row = page.locator('tr[data-row]', { hasText: 'A coin' });
        await row.getByText('baseline').waitFor();
        expect(await row.locator('.rank').innerText()).toBe('–');
        await page.getByText('1 team and 1 unranked').waitFor();
        await olga.leave();
    });

    test('adds an organizer, who may then do the same, and takes them away', async () => {
        const slug = 'shared';
        await publishChallenge(await Person.organizer(), { slug, title: 'Shared' }, SIZE);
        const ines = await Person.register('ines');
        const [olga, other] = [await signedIn(`/organize/${slug}`), await visitor()];
        await other.signIn(ines);
        other.expectTrouble(/403/);
        olga.expectTrouble(/404/);
        const organizers = olga.page.getByRole('region', { name: 'Organizers' });
        await organizers.getByLabel('Add somebody by handle').fill('nobody-here');
        await organizers.getByRole('button', { name: 'Add' }).click();
        await organizers.getByRole('alert').getByText('nobody-here').waitFor();
        await organizers.getByLabel('Add somebody by handle').fill('ines');
        await organizers.getByRole('button', { name: 'Add' }).click();
        await organizers.getByRole('listitem').filter({ hasText: 'ines' }).waitFor();
        await other.goto(`/organize/${slug}`);
        await other.page.getByRole('button', { name: 'Close now' }).waitFor();
        await organizers.getByRole('button', { name: 'Take ines away' }).click();
        await organizers.getByRole('listitem').filter({ hasText: 'ines' }).waitFor({ state: 'detached' });
        await other.goto(`/organize/${slug}`);
        await other.page.getByRole('heading', { name: 'Not for this account' }).waitFor();
        await olga.leave();
        await other.leave();
    });

    test('who is one no longer still has an account, with a baseline in a draft in it', async () => {
        const slug = 'left-behind';
        const organizer = await Person.organizer();
        const classes = CLASSES.trim().split('\n').map((name) => ({ name }));
        await organizer.ask('POST', '/challenges', JSON.stringify({ slug, title: 'Left behind', classes }));
        await organizer.ask('PUT', `/challenges/${slug}/labels`, LABELS);
        const ivo = await Person.register('ivo');
        await organizer.ask('PUT', `/challenges/${slug}/organizers/ivo`);
        const form = new FormData();
        form.set('file', new File([predictions(SIZE, 5)], 'predictions.csv'));
        form.set('method', 'Ahead of time');
        // Once the labels are sealed.
        await eventually(() => ivo.ask('POST', `/challenges/${slug}/submissions`, form).then(() => true, () => undefined));
        await organizer.ask('DELETE', `/challenges/${slug}/organizers/ivo`);
        const who = await visitor();
        who.expectTrouble(/404/);
        await who.signIn(ivo);
        await who.goto('/account');
        await who.page.getByRole('link', { name: 'Ahead of time' }).waitFor();
        await who.page.getByRole('heading', { name: 'API tokens' }).waitFor();
        await who.leave();
    });

    test('changes a setting without taking back what another has changed meanwhile', async () => {
        const slug = 'two-organizers';
        const organizer = await Person.organizer();
        await publishChallenge(organizer, { slug, title: 'Two organizers', leaderboard: { public_fraction: 1 } }, SIZE);
        const olga = await signedIn(`/organize/${slug}/settings`);
        const { page } = olga;
        await page.getByText('Nothing to save.').waitFor();
        const closes = new Date(Date.now() + 100).toISOString();
        await organizer.ask('PATCH', `/challenges/${slug}`, JSON.stringify({ schedule: { closes } }));
        await page.getByText('Closed', { exact: true }).waitFor();
        await page.getByLabel('Title').fill('Two organizers, one title');
        await page.getByRole('button', { name: 'Save' }).click();
        await page.getByText('Saved.').waitFor();
        const { title, schedule } = (await (await organizer.ask('GET', `/challenges/${slug}`)).json()) as { title: string; schedule: { closes: string } };
        expect(title).toBe('Two organizers, one title');
        expect(new Date(schedule.closes).toISOString()).toBe(closes);
        await olga.leave();
    });

    test('is the only one who sees these pages', async () => {
        const bea = await visitor();
        bea.expectTrouble(/40[13]/);
        await bea.goto('/organize/fashion-mnist');
        await bea.page.getByRole('heading', { name: 'Please sign in' }).waitFor();
        const person = await Person.register('bea');
        await bea.goto('/sign-in?next=/organize/fashion-mnist');
        await bea.page.getByLabel('Handle').fill(person.handle);
        await bea.page.getByLabel('Password', { exact: true }).fill(person.password);
        await bea.page.keyboard.press('Enter');
        await bea.page.getByText('is run by organizer').waitFor();
        await bea.leave();
    });
});
