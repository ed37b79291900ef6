import { expect, test } from 'vitest';
import type { Leaderboard, Submission } from '../../src/lib/api/schema';
import { expectAccessible } from './accessible';
import { useBrowser } from './browser';
import { npy, safetensors } from './files';
import { eventually, Person, publishChallenge } from './people';

const { visitor } = useBrowser();

const SIZE = { images: 64, classes: 4 };

/** The same numbers between -0.1 and 0.1 each time. */
function weights(...shape: number[]): { shape: number[]; values: Float32Array } {
    const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
    let state = values.length;
    for (let index = 0; index < values.length; index += 1) {
        // Numerical Recipes' linear congruential generator.
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        values[index] = (state / 2 ** 32 - 0.5) / 5;
    }
    return { shape, values };
}

/** LeNet-5, untrained, for 28 × 28 grey images, as a checkpoint of `torch.nn.DataParallel` names it. */
const LENET_TENSORS = {
    'conv1.weight': weights(6, 1, 5, 5),
    'conv1.bias': weights(6),
    'conv2.weight': weights(16, 6, 5, 5),
    'conv2.bias': weights(16),
    'fc1.weight': weights(120, 400),
    'fc1.bias': weights(120),
    'fc2.weight': weights(84, 120),
    'fc2.bias': weights(84),
    'fc3.weight': weights(SIZE.classes, 84),
    'fc3.bias': weights(SIZE.classes),
};
const LENET = safetensors(Object.fromEntries(Object.entries(LENET_TENSORS).map(([name, tensor]) => [`module.${name}`, tensor])));

test('a competitor submits a model and sees it run, its profile, its layers and its filters', async () => {
    const slug = 'models';
    const pixels = Uint8Array.from({ length: SIZE.images * 28 * 28 }, (_, index) => (index * 31) % 256);
    await publishChallenge(await Person.organizer(), { slug, title: 'For models' }, SIZE, npy([SIZE.images, 28, 28], pixels));
    const yann = await visitor();
    const { page } = yann;
    await yann.signIn(await Person.register('yann'));
    await yann.goto(`/challenges/${slug}/submit`);
    await page.locator('form input[type=file]').first().setInputFiles({ name: 'lenet.safetensors', mimeType: 'application/octet-stream', buffer: LENET });
    await page.getByText('safetensors, 10 tensors').waitFor();
    expect(await page.getByRole('radio', { name: 'A model' }).isChecked()).toBe(true);
    await page.getByLabel('Method').fill('LeNet-5');
    await page.getByRole('button', { name: 'Submit' }).click();
    await page.getByText('say which network they are for').waitFor();
    await expectAccessible(page);
    await page.getByLabel('Architecture').fill('lenet5');
    await page.getByRole('button', { name: 'Submit' }).click();
    await page.waitForURL('**/submissions/*-*');

    await page.getByRole('heading', { name: 'Scores' }).waitFor({ timeout: 60_000 });
    await page.getByRole('region', { name: 'Notices' }).getByText('module.').waitFor();
    await page.getByRole('heading', { name: 'Layers' }).waitFor();
    await page.getByRole('img', { name: 'The 6 filters of the first convolution, each 5 by 5 pixels' }).waitFor();
    // LeCun et al. 1998, section II.B: C1 has 156 trainable parameters, C5 48,120 and F6 10,164.
    for (const [layer, parameters] of [
        ['conv1', '156'],
        ['fc1', '48,120'],
        ['fc2', '10,164'],
    ] as const) {
        const row = page.locator('tr', { has: page.getByText(layer, { exact: true }) });
        expect(await row.locator('td').nth(1).locator('[title]').getAttribute('title')).toBe(parameters);
    }
    await expectAccessible(page);
    await yann.leave();
});

test('while a model runs, the page tells images done, speed and time left, and then its scores, without a reload', async () => {
    const board = await (await Person.organizer()).ask('GET', '/challenges/fashion-mnist/leaderboard');
    const id = ((await board.json()) as Leaderboard).entries.find(({ team }) => team === 'lenet5')?.submission;
    const lea = await visitor();
    const { page } = lea;
    // How fast a model runs is the machine's affair: what the server says meanwhile is played back.
    const running = (done: number, speed: number, left: number): Partial<Submission> => ({
        status: 'running',
        scores: null,
        progress: { stage: 'running', done, total: 10_000, images_per_second: speed, eta_seconds: left },
    });
    let now: Partial<Submission> = running(2_500, 1_234.5, 65);
    await page.route(`**/api/v1/submissions/${id}`, async (route) => {
        const answer = await route.fetch();
        await route.fulfill({ response: answer, json: { ...((await answer.json()) as Submission), ...now } });
    });
    await page.route(`**/api/v1/submissions/${id}/events`, async (route) => {
        const answer = await page.request.get(`/api/v1/submissions/${id}`);
        const state = { ...((await answer.json()) as Submission), ...now };
        await route.fulfill({ contentType: 'text/event-stream', body: `retry: 100\ndata: ${JSON.stringify(state)}\n\n` });
    });
    await lea.goto(`/submissions/${id}`);
    await page.getByText('2,500 of 10,000 images, 1,235 images/s, 1 min 5 s left').waitFor();
    expect(await page.getByRole('progressbar').getAttribute('value')).toBe('0.25');
    now = running(7_500, 1_000, 3);
    await page.getByText('7,500 of 10,000 images, 1,000 images/s, 3 s left').waitFor();
    await eventually(async () => ((await page.getByRole('progressbar').getAttribute('value')) === '0.75' ? true : undefined));
    expect(await page.getByRole('heading', { name: 'Scores' }).count()).toBe(0);
    now = {};
    await page.getByRole('heading', { name: 'Scores' }).waitFor();
    expect(await page.getByRole('progressbar').count()).toBe(0);
    await lea.leave();
});
