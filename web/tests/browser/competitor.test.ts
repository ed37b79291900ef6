import { beforeAll, describe, expect, test } from 'vitest';
import type { PageSubmission } from '../../src/lib/api/schema';
import { expectAccessible } from './accessible';
import { useBrowser, type Visitor } from './browser';
import { awayFromMidnight, eventually, Person, predictions, publishChallenge } from './people';

const { visitor } = useBrowser();

const SIZE = { images: 200, classes: 10 };
const SLUG = 'competitors';

beforeAll(awayFromMidnight, 240_000);
beforeAll(async () => {
    const settings = {
        slug: SLUG,
        title: 'For competitors',
        leaderboard: { public_fraction: 0.5, final_selections: 2 },
        limits: { per_day: 5 },
    };
    await publishChallenge(await Person.organizer(), settings, SIZE);
});

/** Chooses a file on the page's place for files. */
async function choose({ page }: Visitor, name: string, content: string | Buffer): Promise<void> {
    await page.locator('form input[type=file]').first().setInputFiles({
        name,
        mimeType: 'application/octet-stream',
        buffer: Buffer.from(content),
    });
}

/** Signs in by the form, which leads on to `next`. */
async function signIn(who: Visitor, { handle, password }: Person, next: string): Promise<void> {
    await who.goto(`/sign-in?next=${encodeURIComponent(next)}`);
    await who.page.getByLabel('Handle').fill(handle);
    await who.page.getByLabel('Password', { exact: true }).fill(password);
    await who.page.getByRole('button', { name: 'Sign in' }).click();
    await who.page.waitForURL(`**${next}`);
}

describe('a competitor', () => {
    test('signs up by keyboard, submits predictions and sees them scored live', async () => {
        const dora = await visitor();
        const { page } = dora;
        await dora.goto(`/challenges/${SLUG}/submit`);
        await expectAccessible(page);
        await page.getByRole('link', { name: 'Sign up' }).click();
        await page.waitForURL('**/sign-up?next=*');
        await page.getByLabel('Handle').fill('a');
        await page.getByRole('button', { name: 'Create account' }).press('Enter');
        await page.getByText('2 to 39 letters').waitFor();
        await page.getByText('Enter your password').waitFor();
        await expectAccessible(page);
        await page.getByLabel('Handle').fill('dora');
        await page.keyboard.press('Tab');
        await page.keyboard.type('correct horse battery');
        await page.keyboard.press('Enter');
        await page.waitForURL(`**/challenges/${SLUG}/submit`);
        await page.getByText('5 of 5 left').waitFor();

        await choose(dora, 'predictions.csv', predictions(SIZE, 10));
        await page.getByText('CSV, 200 rows').waitFor();
        await page.getByText('Looks right').waitFor();
        await page.getByRole('button', { name: 'Submit' }).click();
        await page.getByText('Name your method').waitFor();
        expect(await page.evaluate(() => document.activeElement?.getAttribute('name'))).toBe('method');
        await page.keyboard.type('First try');
        await expectAccessible(page);
        await page.getByLabel('Method').press('Enter');

        await page.waitForURL('**/submissions/*-*');
        await page.getByRole('heading', { name: 'Scores' }).waitFor();
        // Each tenth image is wrong; half of the images are public, drawn by the server: 10 % in all, not in each half.
        const error = Number.parseFloat((await page.locator('tr.primary .value').textContent()) ?? '');
        expect(error).toBeGreaterThan(2);
        expect(error).toBeLessThan(20);
        await page.getByText('1 of 1').waitFor();
        await page.getByText('0 of 2 submissions selected').waitFor();
        await expectAccessible(page);

        await page.getByRole('button', { name: 'Select this one' }).click();
        await page.getByText('1 of 2 submissions selected').waitFor();
        await page.getByRole('button', { name: 'Rename or describe' }).click();
        await page.getByLabel('Method').fill('A better name');
        await page.getByLabel('Description').fill('What **was** done');
        await expectAccessible(page);
        await page.getByRole('button', { name: 'Save' }).click();
        await page.getByRole('heading', { name: 'A better name' }).waitFor();
        expect(await page.locator('.markdown strong').textContent()).toBe('was');

        await dora.goto(`/challenges/${SLUG}/submissions`);
        await page.getByText('4 of 5 left').waitFor();
        await expectAccessible(page);
        await page.getByRole('link', { name: 'A better name' }).click();
        await page.getByRole('button', { name: 'Withdraw' }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Withdraw' }).click();
        await page.getByText('It is off the board for good').waitFor();
        await dora.leave();
    });

    test('is told the line of a bad file before it is sent, and by the server if it is sent anyway', async () => {
        const bob = await visitor();
        const { page } = bob;
        await signIn(bob, await Person.register('bob'), `/challenges/${SLUG}/submit`);
        // Python's protocol 4: PROTO 4, then a FRAME.
        await choose(bob, 'predictions.pkl', Buffer.from([0x80, 0x04, 0x95, 0, 0, 0, 0, 0, 0, 0, 0]));
        await page.getByText('This is a Python pickle').waitFor();
        expect(await page.getByRole('button', { name: 'Submit' }).isDisabled()).toBe(true);

        const dropped = await page.evaluateHandle(() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File(['1\n2\n'], 'two-lines.txt'));
            return transfer;
        });
        await page.locator('.drop').first().dispatchEvent('drop', { dataTransfer: dropped });
        await page.getByText('2 lines; this challenge has 200 test images, and each needs one').waitFor();

        const lines = Array.from({ length: SIZE.images }, (_, index) => (index === 41 ? '11' : '1'));
        await choose(bob, 'predictions.txt', `${lines.join('\n')}\n`);
        await page.getByText('line 42').waitFor();
        await page.getByText('class 11, but this challenge has 10 (numbers run from 1 to 10)').waitFor();
        await expectAccessible(page);
        await page.getByLabel('Method').fill('Off by one');
        await page.getByRole('button', { name: 'send it anyway' }).click();
        await page.getByRole('button', { name: 'Submit' }).click();
        await page.waitForURL('**/submissions/*-*');
        await page.getByText('Rejected', { exact: true }).waitFor();
        await page.getByText('line 42').waitFor();
        await expectAccessible(page);
        await bob.leave();
    });

    test('cancels an upload that takes long, and loses nothing of the form', async () => {
        const eve = await visitor();
        const { page } = eve;
        await signIn(eve, await Person.register('eve'), `/challenges/${SLUG}/submit`);
        await choose(eve, 'predictions.csv', predictions(SIZE, 4));
        await page.getByLabel('Method').fill('Slow line');
        // The request stays under way until it is cancelled.
        await page.route('**/api/v1/challenges/*/submissions', () => {});
        await page.getByRole('button', { name: 'Submit' }).click();
        await page.getByRole('button', { name: 'Cancel the upload' }).click();
        await page.getByRole('button', { name: 'Submit' }).waitFor();
        expect(await page.getByLabel('Method').inputValue()).toBe('Slow line');
        await page.unroute('**/api/v1/challenges/*/submissions');
        await page.getByRole('button', { name: 'Submit' }).click();
        await page.waitForURL('**/submissions/*-*');
        await eve.leave();
    });

    test('is asked before an upload ends with the page', async () => {
        const ida = await visitor();
        const { page } = ida;
        await signIn(ida, await Person.register('ida'), `/challenges/${SLUG}/submit`);
        await choose(ida, 'predictions.csv', predictions(SIZE, 4));
        await page.getByLabel('Method').fill('On its way');
        await page.route('**/api/v1/challenges/*/submissions', () => {});
        await page.getByRole('button', { name: 'Submit' }).click();
        await page.getByRole('button', { name: 'Cancel the upload' }).waitFor();
        // Another page of this site.
        await page.getByRole('link', { name: 'Challenges', exact: true }).click();
        await page.getByRole('dialog').getByText('The upload ends with this page').waitFor();
        await expectAccessible(page);
        await page.getByRole('button', { name: 'Stay here' }).click();
        await page.getByRole('button', { name: 'Cancel the upload' }).waitFor();
        expect(page.url()).toContain(`/challenges/${SLUG}/submit`);
        // The whole tab: the browser asks.
        const asked = page.waitForEvent('dialog');
        await page.close({ runBeforeUnload: true });
        const question = await asked;
        expect(question.type()).toBe('beforeunload');
        await question.dismiss();
        await page.getByRole('link', { name: 'Challenges', exact: true }).click();
        await page.getByRole('button', { name: 'Stop the upload and leave' }).click();
        await page.waitForURL('/');
        await page.getByRole('heading', { name: 'Open' }).waitFor();
        await ida.leave();
    });

    test('sees an upload to its end that the close overtakes', async () => {
        const slug = 'overtaken';
        const organizer = await Person.organizer();
        await publishChallenge(organizer, { slug, title: 'Overtaken', leaderboard: { public_fraction: 1 } }, SIZE);
        const ola = await visitor();
        const { page } = ola;
        await signIn(ola, await Person.register('ola'), `/challenges/${slug}/submit`);
        await choose(ola, 'predictions.csv', predictions(SIZE, 4));
        await page.getByLabel('Method').fill('Just in time');
        await page.route('**/api/v1/challenges/*/submissions', () => {});
        await page.getByRole('button', { name: 'Submit' }).click();
        await page.getByRole('button', { name: 'Cancel the upload' }).waitFor();
        await organizer.ask('PATCH', `/challenges/${slug}`, JSON.stringify({ schedule: { closes: new Date(Date.now() + 100).toISOString() } }));
        await page.getByText('Closed', { exact: true }).waitFor();
        await page.getByRole('button', { name: 'Cancel the upload' }).click();
        await page.getByRole('button', { name: 'Submit' }).waitFor();
        await ola.leave();
    });

    test('reads notices beside the submission', async () => {
        const [slug, size] = ['with-ids', { images: 40, classes: 2 }];
        const classes = [{ name: 'a cat', id: 'n02121808' }, { name: 'a dog', id: 'n02084071' }];
        await publishChallenge(await Person.organizer(), { slug, title: 'With ids', classes }, size);
        const person = await Person.register('kay');
        // Kaggle's format with a box for each class, which are ignored (CONTRACT section 2).
        const rows = Array.from({ length: size.images }, (_, index) => `${index},${classes[index % 2]?.id} 1 2 30 40`);
        const id = await person.submit(slug, `ImageId,PredictionString\n${rows.join('\n')}\n`, 'With boxes');
        const kay = await visitor();
        await kay.signIn(person);
        await kay.goto(`/submissions/${id}`);
        const notices = kay.page.getByRole('region', { name: 'Notices' });
        await notices.getByText('only their classes are scored').waitFor();
        await expectAccessible(kay.page);
        await kay.leave();
    });

    test('whose session has ended is told so, and goes on after signing in', async () => {
        const joe = await visitor();
        const { page } = joe;
        joe.expectTrouble(/401/);
        const person = await Person.register('joe');
        await signIn(joe, person, `/challenges/${SLUG}/submit`);
        await choose(joe, 'predictions.csv', predictions(SIZE, 5));
        await page.getByLabel('Method').fill('Typed before it ended');
        await page.context().clearCookies();
        await page.getByRole('button', { name: 'Submit' }).click();
        await page.getByText('Your session has ended').waitFor();
        const [other] = await Promise.all([page.context().waitForEvent('page'), page.getByRole('link', { name: 'Sign in' }).last().click()]);
        await other.getByLabel('Handle').fill(person.handle);
        await other.getByLabel('Password', { exact: true }).fill(person.password);
        await other.getByRole('button', { name: 'Sign in' }).click();
        await other.waitForURL(`**/challenges/${SLUG}/submit`);
        await other.close();
        await page.getByRole('button', { name: 'Submit' }).click();
        await page.waitForURL('**/submissions/*-*');
        // Until then the page follows what its team alone may see.
        await page.getByRole('heading', { name: 'Scores' }).waitFor();

        await page.context().clearCookies();
        await joe.goto('/account');
        await page.getByRole('heading', { name: 'Please sign in' }).waitFor();
        await page.locator('main').getByRole('link', { name: 'Sign in' }).click();
        await page.waitForURL('**/sign-in?next=%2Faccount');
        await joe.leave();
    });

    test('sees the list of submissions change when one is finished, without a reload', async () => {
        const ray = await visitor();
        const { page } = ray;
        const person = await Person.register('ray');
        await person.submit(SLUG, predictions(SIZE, 6), 'Every sixth wrong');
        await ray.signIn(person);
        // As it was a moment ago.
        await page.route('**/submissions?limit=50', async (route) => {
            const answer = await route.fetch();
            const list = (await answer.json()) as PageSubmission;
            await route.fulfill({ response: answer, json: { ...list, items: list.items.map((item) => ({ ...item, status: 'queued', scores: null })) } });
        });
        await ray.goto(`/challenges/${SLUG}/submissions`);
        const row = page.getByRole('row', { name: /Every sixth wrong/ });
        await row.getByText('Waiting').waitFor();
        await page.unroute('**/submissions?limit=50');
        await row.getByText('Scored').waitFor();
        await ray.leave();
    });

    test('makes a token that is shown once, and takes it back', async () => {
        const zoe = await visitor();
        const { page } = zoe;
        await signIn(zoe, await Person.register('zoe'), '/account');
        await page.getByText('Nothing submitted yet').waitFor();
        await page.getByLabel('Name of a new token').fill('laptop');
        await page.getByRole('button', { name: 'Create token' }).click();
        await page.getByText('Copy it now').waitFor();
        await page.getByRole('button', { name: 'Copy Token “laptop”' }).click();
        const token = await eventually(async () => /^referee_[0-9a-f]{64}$/.exec(await page.evaluate(() => navigator.clipboard.readText()))?.[0]);
        const asked = await page.request.get('/api/v1/me', { headers: { authorization: `Bearer ${token}` } });
        expect(((await asked.json()) as { handle: string }).handle).toBe('zoe');
        await expectAccessible(page);
        await zoe.goto('/account');
        expect(await page.getByText('referee_').count()).toBe(0);
        await page.getByRole('button', { name: 'Revoke laptop' }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
        await page.getByRole('button', { name: 'Revoke laptop' }).waitFor({ state: 'detached' });
        // Who could not be signed out is told so.
        zoe.expectTrouble(/ERR_FAILED/);
        await page.route('**/api/v1/session', (route) => route.abort());
        await page.getByRole('button', { name: 'Sign out' }).click();
        await page.getByText('The server cannot be reached').waitFor();
        await page.unroute('**/api/v1/session');
        await page.getByRole('button', { name: 'Sign out' }).click();
        await page.locator('header').getByRole('link', { name: 'Sign in' }).waitFor();
        await zoe.leave();
    });
});

test('two browsers see the same board change while they look', async () => {
    const slug = 'two-browsers';
    await publishChallenge(await Person.organizer(), { slug, title: 'Two browsers' }, SIZE);
    const id = await (await Person.register('first')).submit(slug, predictions(SIZE, 4), 'A quarter wrong');
    const [one, two, three] = [await visitor(), await visitor(), await visitor()];
    for (const who of [one, two]) {
        await who.goto(`/challenges/${slug}/leaderboard`);
        await who.page.locator('tr[data-row]', { hasText: 'first' }).waitFor();
    }
    await three.goto(`/submissions/${id}`);
    await three.page.getByText('1 of 1').waitFor();
    await (await Person.register('second')).submit(slug, predictions(SIZE, 10), 'A tenth wrong');
    for (const who of [one, two]) {
        await who.page.locator('tr[data-row]', { hasText: 'second' }).waitFor();
        expect(await who.page.locator('tr[data-row]').first().textContent()).toContain('second');
        await who.leave();
    }
    await three.page.getByText('2 of 2').waitFor();
    await three.leave();
});
