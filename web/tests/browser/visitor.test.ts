import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import type { Leaderboard } from '../../src/lib/api/schema';
import { expectAccessible } from './accessible';
import { useBrowser } from './browser';
import { png, tar } from './files';
import { closedChallenge } from './pages';
import { eventually, Person, predictions, publishChallenge, settledBoard } from './people';

const { visitor } = useBrowser();

/** The pairs of boxes that cover a part of each other. */
function overlapping(boxes: readonly DOMRect[]): [number, number][] {
    return boxes.flatMap((a, first) =>
        boxes.flatMap((b, second): [number, number][] =>
            first < second && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom ? [[first, second]] : [],
        ),
    );
}

/** A board of so many places, each with its own address. */
async function pretendPlaces(page: Page, places: number): Promise<void> {
    await page.route('**/leaderboard?split=*', async (route) => {
        const answer = await route.fetch();
        const board = (await answer.json()) as Leaderboard;
        const [first] = board.entries;
        const entries = Array.from({ length: places }, (_, index) => ({ ...first, submission: `place-${index + 1}`, rank: index + 1 }));
        await route.fulfill({ response: answer, json: { ...board, entries } });
    });
}

/** Requests that get no answer until they fail. */
async function holdBack(page: Page, address: string): Promise<{ fail: () => void }> {
    let fail = (): void => {};
    const failed = new Promise<void>((resolve) => (fail = resolve));
    await page.route(address, async (route) => {
        await failed;
        await route.abort();
    });
    return { fail };
}

describe('a visitor', () => {
    test('finds the challenge, its rules, its data and how to submit', async () => {
        const ada = await visitor();
        await ada.goto('/');
        await ada.page.getByRole('link', { name: 'Fashion-MNIST', exact: true }).click();
        await ada.page.getByRole('heading', { name: 'About this challenge' }).waitFor();
        await ada.page.getByText('Tell ten kinds of clothing apart').waitFor();
        await ada.page.getByText('A team may submit 20 a day (UTC).').waitFor();
        // Ten classes, with six examples of each from the training images.
        await ada.page.locator('canvas').nth(59).waitFor();

        await ada.page.locator('label', { hasText: 'curl' }).click();
        await ada.page.getByRole('button', { name: 'Copy curl' }).click();
        const copied = (): Promise<string> => ada.page.evaluate(() => navigator.clipboard.readText());
        await expect.poll(copied).toContain(`${new URL(ada.page.url()).origin}/api/v1/challenges/fashion-mnist/submissions`);

        await ada.page.getByRole('link', { name: 'Data', exact: true }).click();
        const row = ada.page.getByRole('row', { name: /test-images\.npy/ });
        // `sha256sum` of Fashion-MNIST's 10,000 test images after the header that numpy writes.
        await row.getByText('fa687ea6e35cd511e68bc9cd5049edbadf6eb7dfde574e880a3325309e5aadfd').waitFor();
        expect(await row.textContent()).toContain('7.5');
        await ada.leave();
    });

    test('sorts, searches and shares the board, and takes it away as CSV', async () => {
        const ada = await visitor();
        await ada.goto('/challenges/fashion-mnist/leaderboard');
        const teams = ada.page.locator('tr[data-row] th a:first-child');
        await teams.first().waitFor();
        const ranked = await teams.allTextContents();
        expect(ranked).toContain('mlp-256');
        await ada.page.getByRole('button', { name: 'Team and method' }).click();
        expect(await teams.allTextContents()).toEqual([...ranked].sort());
        await ada.page.getByRole('searchbox').fill('nearest class');
        await ada.page.getByText('1 of ').waitFor();
        expect(await teams.allTextContents()).toEqual(['nearest-mean']);

        const shared = await visitor();
        await shared.goto(new URL(ada.page.url()).pathname + new URL(ada.page.url()).search);
        await shared.page.getByText('1 of ').waitFor();
        await shared.leave();

        // The page's own tab leads to the whole board again, and the address says so.
        await ada.page.getByRole('navigation', { name: /^Pages of/ }).getByRole('link', { name: 'Leaderboard' }).click();
        await ada.page.getByText('1 of ').waitFor({ state: 'detached' });
        expect(new URL(ada.page.url()).search).toBe('');
        expect(await ada.page.getByRole('searchbox').inputValue()).toBe('');

        const [download] = await Promise.all([ada.page.waitForEvent('download'), ada.page.getByRole('link', { name: 'CSV' }).click()]);
        expect(download.suggestedFilename()).toBe('fashion-mnist-public.csv');
        expect(await readFile(await download.path(), 'utf8')).toMatch(/^rank,rank_low,rank_high,team,/);
        await ada.leave();
    });

    test('chooses columns, which the address keeps, and closes the menu by keyboard', async () => {
        const ada = await visitor();
        await ada.goto('/challenges/fashion-mnist/leaderboard');
        await ada.page.getByRole('columnheader', { name: 'Date' }).waitFor();
        await ada.page.getByText('Columns', { exact: true }).click();
        await ada.page.getByRole('checkbox', { name: 'Date' }).uncheck();
        await ada.page.getByRole('checkbox', { name: 'Kind' }).check();
        await ada.page.keyboard.press('Escape');
        expect(await ada.page.getByRole('checkbox', { name: 'Kind' }).isVisible()).toBe(false);
        await ada.page.reload();
        await ada.page.getByRole('columnheader', { name: 'Kind' }).waitFor();
        expect(await ada.page.getByRole('columnheader', { name: 'Date' }).count()).toBe(0);
        await ada.leave();
    });

    test('takes the permanent link of a place, and another follows it', async () => {
        const ada = await visitor();
        await ada.goto('/challenges/fashion-mnist/leaderboard');
        await ada.page.getByRole('link', { name: 'Place 3, permanent link' }).click();
        await ada.page.waitForURL(/#./);
        const { hash } = new URL(ada.page.url());
        const row = ada.page.locator(`tr.linked[id="${hash.slice(1)}"]`);
        await row.waitFor();
        const team = await row.locator('th a').first().textContent();
        await ada.leave();

        const grace = await visitor();
        await grace.goto(`/challenges/fashion-mnist/leaderboard${hash}`);
        expect(await grace.page.locator('tr.linked th a').first().textContent()).toBe(team);
        await grace.leave();
    });

    test('takes the board away as JSON, whole and as it is ranked', async () => {
        const ada = await visitor();
        await ada.goto('/challenges/fashion-mnist/leaderboard');
        const [download] = await Promise.all([ada.page.waitForEvent('download'), ada.page.getByRole('link', { name: 'JSON' }).click()]);
        expect(download.suggestedFilename()).toBe('fashion-mnist-public.json');
        const board = JSON.parse(await readFile(await download.path(), 'utf8')) as Leaderboard;
        expect([board.challenge, board.split, board.primary]).toEqual(['fashion-mnist', 'public', 'top1']);
        const shown = await ada.page.locator('tr[data-row] th .team').allTextContents();
        expect(board.entries.map(({ team }) => team)).toEqual(shown);
        await ada.leave();
    });

    test('reaches on a phone what only wide screens have columns for', async () => {
        const ada = await visitor({ viewport: { width: 360, height: 740 } });
        await ada.goto('/challenges/fashion-mnist/leaderboard');
        await ada.page.getByRole('button', { name: 'Details of lenet5' }).click();
        const facts = await ada.page.getByRole('dialog').innerText();
        // As LeNet-5 is built here for 28 × 28 images and ten classes: 61,706 parameters, five weight layers.
        for (const fact of [/Parameters\s+61\.7\sk/, /Depth\s+5/, /MACs\s+[\d.]+\s[kM]/, /Images\/s\s+[\d.,]+/]) expect(facts).toMatch(fact);
        await expectAccessible(ada.page);
        await ada.page.keyboard.press('Escape');
        await ada.page.getByRole('dialog').waitFor({ state: 'hidden' });
        await ada.leave();
    });

    test.each([1280, 360])('sees the networks named in the pictures, %d pixels wide, and no name over another', async (width) => {
        const ada = await visitor({ viewport: { width, height: 900 } });
        await ada.goto('/challenges/fashion-mnist/pictures');
        await ada.seeAll();
        for (const title of ['Error against operations', 'Error against depth']) {
            const figure = ada.page.locator('figure', { has: ada.page.getByRole('heading', { name: title }) });
            await figure.locator('text', { hasText: 'lenet5' }).waitFor();
            const names = figure.locator('text', { hasText: /^(lenet5|mlp-net|mlp-onnx|perceptron-net)$/ });
            expect(await names.count()).toBe(4);
            const boxes = await names.evaluateAll((all) => all.map((name) => name.getBoundingClientRect().toJSON() as DOMRect));
            expect(overlapping(boxes)).toEqual([]);
        }
        await ada.leave();
    });

    test('is led from a point of a picture to its submission', async () => {
        const ada = await visitor();
        await ada.goto('/challenges/fashion-mnist/pictures');
        const figure = ada.page.locator('figure', { has: ada.page.getByRole('heading', { name: 'Error against depth' }) });
        await figure.scrollIntoViewIfNeeded();
        // LeNet-5 is the deepest of the demo's networks: the point furthest to the right.
        const points = figure.locator('circle');
        await points.first().waitFor();
        const boxes = await points.evaluateAll((all) => all.map((point) => point.getBoundingClientRect().toJSON() as DOMRect));
        const last = boxes.toSorted((a, b) => b.x - a.x)[0];
        await ada.page.mouse.move((last?.x ?? 0) + (last?.width ?? 0) / 2, (last?.y ?? 0) + (last?.height ?? 0) / 2);
        await figure.getByText('parameters', { exact: false }).first().waitFor();
        await ada.page.mouse.down();
        await ada.page.mouse.up();
        await ada.page.getByRole('heading', { name: 'LeNet-5' }).waitFor();
        await ada.leave();
    });

    test('looks at pictures, as tables and as files too', async () => {
        const ada = await visitor();
        await ada.goto('/challenges/fashion-mnist/pictures');
        await ada.page.getByRole('img', { name: /by top-1 error and time of submission\. The best so far is/ }).locator('svg').first().waitFor();
        for (const [kind, start] of [['SVG', '<svg'], ['PNG', '\u0089PNG']] as const) {
            const [download] = await Promise.all([ada.page.waitForEvent('download'), ada.page.getByRole('button', { name: `Save Error by time as ${kind}` }).click()]);
            expect(download.suggestedFilename()).toBe(`fashion-mnist-error-by-time.${kind.toLowerCase()}`);
            const file = await readFile(await download.path(), 'latin1');
            expect(file.startsWith(start)).toBe(true);
            expect(file).not.toContain('var(--');
            // The file says by itself what it shows.
            if (kind === 'SVG') for (const words of ['Error by time', 'prediction files', 'mlp-256', 'top-1 error']) expect(file).toContain(words);
        }
        await ada.page.locator('label', { hasText: 'Table' }).first().click();
        await ada.page.getByRole('group', { name: 'Error by time, as a table' }).getByRole('link', { name: 'mlp-256' }).waitFor();
        await ada.leave();
    });

    test('reads the history, whose numbers are marked as reported by others', async () => {
        const ada = await visitor();
        await ada.goto('/history');
        await ada.page.getByText('The numbers on this page were not scored here.').waitFor();
        await ada.page.locator('label', { hasText: 'Table' }).first().click();
        const human = ada.page.getByRole('row', { name: /Human/ });
        // Karpathy 2014; 77 of 1,500.
        expect(await human.textContent()).toMatch(/5\.1\u00a0%.*4\.13–6\.37\u00a0%/);
        await ada.leave();
    });

    test('sees images of a challenge whose images are an archive, by class where public labels name them', async () => {
        const slug = 'photographs';
        const organizer = await Person.organizer();
        if (!(await organizer.exists(`/challenges/${slug}`))) {
            const image = (index: number): readonly [string, Buffer] => [`image-${String(index).padStart(3, '0')}.png`, png(40, 30, [20 * (index % 4), 80, 160])];
            const images = tar(Array.from({ length: 40 }, (_, index) => image(index)));
            const description = '![Two of them](figure.png) ![Elsewhere](https://example.org/figure.png)';
            await publishChallenge(organizer, { slug, title: 'Photographs', description }, { images: 40, classes: 4 }, images);
            await organizer.ask('PUT', `/challenges/${slug}/files/figure.png`, new Blob([new Uint8Array(png(80, 30, [200, 80, 160]))]));
            await organizer.ask('PUT', `/challenges/${slug}/validation/images`, new Blob([tar([image(0), image(1), image(6)])]));
            await organizer.ask('PUT', `/challenges/${slug}/validation/labels`, 'image,label\nimage-000.png,0\nimage-001.png,1\nimage-006,class c\n');
        }
        const ada = await visitor();
        await ada.goto(`/challenges/${slug}`);
        await ada.page.getByText('Examples from the validation set.').waitFor();
        for (const name of ['class a', 'class b', 'class c']) await ada.page.getByRole('img', { name: `${name}, example 1` }).waitFor();
        const middle = await ada.page.getByRole('img', { name: 'class c, example 1' }).evaluate((canvas) => {
            const { width, height } = canvas as HTMLCanvasElement;
            return [width, height, ...((canvas as HTMLCanvasElement).getContext('2d')?.getImageData(width / 2, height / 2, 1, 1).data ?? [])];
        });
        // A description shows the challenge's own files; what is elsewhere is a link.
        const figure = ada.page.getByRole('img', { name: 'Two of them' });
        expect(await figure.evaluate((image) => (image as HTMLImageElement).decode().then(() => (image as HTMLImageElement).naturalWidth))).toBe(80);
        expect(await ada.page.getByRole('link', { name: 'Elsewhere' }).getAttribute('href')).toBe('https://example.org/figure.png');
        // The largest square of 40 × 30 pixels, and the colour that it was made of.
        expect(middle).toEqual([30, 30, 40, 80, 160, 255]);
        await ada.leave();
    });

    test('reads the names of the classes before their images are there, and without them', async () => {
        const ada = await visitor();
        const images = await holdBack(ada.page, '**/files/train-images');
        await ada.goto('/challenges/fashion-mnist');
        await ada.page.getByText('Ankle boot').waitFor();
        await ada.page.getByText('Examples are being loaded').waitFor();
        ada.expectTrouble(/ERR_FAILED/);
        images.fail();
        await ada.page.getByText('The example images could not be loaded').waitFor();
        expect(await ada.page.getByText('Ankle boot').count()).toBe(1);
        await ada.leave();
    });

    test('finds an operation in the reference', async () => {
        const ada = await visitor();
        await ada.goto('/reference');
        await ada.page.getByRole('navigation', { name: 'Operations' }).getByRole('link', { name: 'POST /challenges/{slug}/submissions' }).click();
        await ada.page.locator('article:target', { hasText: '/api/v1/challenges/{slug}/submissions' }).waitFor();
        await ada.leave();
    });

    test('who asks for what is not there gets words and a way on', async () => {
        const ada = await visitor();
        ada.expectTrouble(/404/);
        await ada.goto('/challenges/no-such-challenge');
        expect(await ada.page.locator('h1').textContent()).toBe('Nothing here');
        await ada.page.getByRole('link', { name: 'All challenges' }).click();
        await ada.page.waitForURL('/');
        await ada.goto('/nowhere');
        await ada.page.getByText('There is no page at this address.').waitFor();
        await ada.leave();
    });

    test('who goes offline is told, and what comes back is up to date', async () => {
        const ada = await visitor();
        ada.expectTrouble(/ERR_INTERNET_DISCONNECTED/, /ERR_NETWORK_IO_SUSPENDED/);
        await ada.goto('/challenges/fashion-mnist/leaderboard');
        await ada.page.context().setOffline(true);
        await ada.page.getByText('You are offline.').waitFor();
        await ada.page.getByRole('link', { name: 'Challenges', exact: true }).click();
        await ada.page.getByRole('heading', { name: 'The server cannot be reached' }).waitFor();
        await ada.page.getByRole('button', { name: 'Try again' }).click();
        await ada.page.context().setOffline(false);
        // Nothing has to be pressed.
        await ada.page.getByRole('heading', { name: 'Open' }).waitFor();
        await ada.leave();
    });
});

describe('a board', () => {
    test.each([
        [1280, 'open'],
        [1100, 'open'],
        [1000, 'open'],
        [800, 'open'],
        [360, 'open'],
        [1280, 'closed'],
        [1000, 'closed'],
        [800, 'closed'],
        [740, 'closed'],
        [360, 'closed'],
    ] as const)('keeps long names and marks apart, %d pixels wide, while %s', async (width, state) => {
        const slug = state === 'closed' ? (await closedChallenge()).slug : 'fashion-mnist';
        const ada = await visitor({ viewport: { width, height: 900 } });
        await ada.page.route('**/leaderboard?split=*', async (route) => {
            const answer = await route.fetch();
            const board = (await answer.json()) as Leaderboard;
            const marks = { outside_data: true, paper_url: 'https://example.org/paper', code_url: 'https://example.org/code' };
            const entries = board.entries.map((entry, index) => ({ ...entry, ...marks, team: 'W'.repeat(39 - index), method: 'A method '.repeat(11) }));
            await route.fulfill({ response: answer, json: { ...board, entries } });
        });
        await ada.goto(`/challenges/${slug}/leaderboard`);
        const who = ada.page.locator('tr[data-row] th').first();
        await who.waitFor();
        if (state === 'closed') await ada.page.getByRole('columnheader', { name: 'Shift' }).waitFor();
        const boxes = await who.locator('.team, .method, .marks > *').filter({ visible: true }).evaluateAll((all) => all.map((part) => part.getBoundingClientRect().toJSON() as DOMRect));
        // Beside the shift or many columns the two links have no room on less than a desktop.
        expect([3, 5]).toContain(boxes.length);
        if (width === 1280) expect(boxes).toHaveLength(5);
        expect(overlapping(boxes)).toEqual([]);
        expect(boxes[0]?.width).toBeGreaterThanOrEqual(60);
        expect(await ada.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
        const cell = await who.boundingBox();
        for (const { right, bottom } of boxes) {
            expect(right).toBeLessThanOrEqual((cell?.x ?? 0) + (cell?.width ?? 0));
            expect(bottom).toBeLessThanOrEqual((cell?.y ?? 0) + (cell?.height ?? 0));
        }
        await ada.leave();
    });

    test('changes in two browsers at once, without a reload, and says so', async () => {
        const size = { images: 200, classes: 4 };
        const organizer = await Person.organizer();
        const slug = `live-${Date.now()}`;
        await publishChallenge(organizer, { slug, title: 'Live' }, size);
        const watchers = [await visitor(), await visitor()];
        for (const watcher of watchers) {
            await watcher.goto(`/challenges/${slug}/leaderboard`);
            await watcher.page.getByText('Nobody is on the board yet').waitFor();
        }
        const mary = await Person.registerOrSignIn('mary');
        await mary.submit(slug, predictions(size, 10), 'Every tenth wrong');
        for (const watcher of watchers) {
            // 20 of 200 are wrong.
            await watcher.page.locator('tr[data-row]', { hasText: 'mary' }).getByText('10.00').first().waitFor();
        }
        await (await Person.registerOrSignIn('joan')).submit(slug, predictions(size, 11), 'Every eleventh wrong');
        for (const watcher of watchers) {
            // The ranges come with a change of the board of their own, which takes nothing back from who listens.
            await watcher.page.locator('tr[data-row]', { hasText: 'joan' }).getByText('(1–2)').waitFor();
            await watcher.page.locator('[aria-live="polite"]', { hasText: 'joan is in place 1' }).waitFor();
            await watcher.leave();
        }
    });

    test('shows the private one as soon as the challenge closes, without a reload', async () => {
        const size = { images: 400, classes: 4 };
        const organizer = await Person.organizer();
        const slug = `closing-${Date.now()}`;
        await publishChallenge(organizer, { slug, title: 'Closing', leaderboard: { public_fraction: 0.5 } }, size);
        await (await Person.registerOrSignIn('mary')).submit(slug, predictions(size, 7), 'Every seventh wrong');
        const watcher = await visitor();
        await watcher.goto(`/challenges/${slug}/leaderboard`);
        await watcher.page.locator('tr[data-row]', { hasText: 'mary' }).waitFor();
        await organizer.ask('PATCH', `/challenges/${slug}`, JSON.stringify({ schedule: { closes: new Date(Date.now() + 1_000).toISOString() } }));
        await watcher.page.getByRole('columnheader', { name: 'Shift' }).waitFor();
        await watcher.page.getByText('Closed', { exact: true }).waitFor();
        await watcher.leave();
    });

    test('shows what changed after it was read and before the first event', async () => {
        const size = { images: 200, classes: 4 };
        const organizer = await Person.organizer();
        const slug = `between-${Date.now()}`;
        await publishChallenge(organizer, { slug, title: 'Between' }, size);
        const watcher = await visitor();
        let connect = (): void => {};
        const connected = new Promise<void>((resolve) => (connect = resolve));
        await watcher.page.route(`**/challenges/${slug}/events`, async (route) => {
            await connected;
            await route.continue();
        });
        await watcher.goto(`/challenges/${slug}/leaderboard`);
        await watcher.page.getByText('Nobody is on the board yet').waitFor();
        await (await Person.registerOrSignIn('mary')).submit(slug, predictions(size, 10), 'Every tenth wrong');
        // No later change helps.
        await settledBoard(organizer, slug, 'public', 1);
        connect();
        await watcher.page.locator('tr[data-row]', { hasText: 'mary' }).waitFor();
        await watcher.leave();
    });

    test('that is long shows the place that the address points to, clear of the head', async () => {
        const ada = await visitor();
        await pretendPlaces(ada.page, 2_000);
        await ada.goto('/challenges/fashion-mnist/leaderboard#place-1400');
        const row = ada.page.locator('tr.linked');
        await row.waitFor();
        await ada.page.waitForTimeout(500);
        const place = async (): Promise<{ isBelowTheHead: boolean; isOnTheScreen: boolean }> => {
            const [head, box] = [await ada.page.locator('thead th').first().boundingBox(), await row.boundingBox()];
            if (!head || !box) throw new Error('the board is not shown');
            return { isBelowTheHead: box.y >= head.y + head.height, isOnTheScreen: box.y + box.height <= 900 };
        };
        await expect.poll(place).toEqual({ isBelowTheHead: true, isOnTheScreen: true });
        await ada.leave();
    });

    test('that is in the document whole keeps in sight the place whose link is clicked, where everything is larger too', async () => {
        const height = 2_160;
        const ada = await visitor({ viewport: { width: 3_840, height } });
        await pretendPlaces(ada.page, 250);
        await ada.goto('/challenges/fashion-mnist/leaderboard');
        await ada.page.getByRole('link', { name: 'Place 200, permanent link' }).click();
        const row = ada.page.locator('tr.linked');
        await row.waitFor();
        await ada.page.waitForTimeout(500);
        const isOnTheScreen = async (): Promise<boolean> => {
            const box = await row.boundingBox();
            return box !== null && box.y > 0 && box.y + box.height <= height;
        };
        await expect.poll(isOnTheScreen).toBe(true);
        await ada.leave();
    });

    test('is as it was after a step back', async () => {
        const ada = await visitor();
        await ada.goto('/challenges/fashion-mnist/leaderboard');
        await ada.page.getByRole('searchbox').fill('as ONNX');
        await ada.page.getByText('1 of ').waitFor();
        await ada.page.locator('tr[data-row] .team').click();
        await ada.page.waitForURL('**/submissions/*');
        await ada.page.goBack();
        await ada.page.getByText('1 of ').waitFor();
        expect(await ada.page.getByRole('searchbox').inputValue()).toBe('as ONNX');
        await ada.leave();
    });

    test('of a closed challenge has both boards side by side, and in the picture', async () => {
        const { slug } = await closedChallenge();
        const ada = await visitor();
        await ada.goto(`/challenges/${slug}/leaderboard`);
        await ada.page.getByRole('columnheader', { name: 'Shift' }).waitFor();
        await ada.page.locator('label', { hasText: 'Private' }).click();
        await eventually(async () => (new URL(ada.page.url()).search === '?split=private' ? true : undefined));
        expect(await ada.page.getByRole('columnheader', { name: 'Shift' }).count()).toBe(0);
        await ada.page.getByRole('link', { name: 'Pictures' }).click();
        await ada.page.getByRole('img', { name: /on the public and on the private images/ }).waitFor();
        // What a picture shows is said, and the other part is one click away.
        await ada.page.getByRole('heading', { name: 'Error by time on the private images' }).waitFor();
        await ada.page.locator('label', { hasText: 'Public' }).first().click();
        await ada.page.getByRole('heading', { name: 'Error by time on the public images' }).waitFor();
        expect(new URL(ada.page.url()).search).toBe('?split=public');
        await ada.leave();
    });
});
