/** Opening an account, where everybody may and where an invitation is needed. */
import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import type { NewUser, Registration } from '../../src/lib/api/schema';
import { expectAccessible } from './accessible';
import { useBrowser } from './browser';

const { visitor } = useBrowser();

/** The pages of a server where this is who may open an account. */
async function pretendRegistration(page: Page, registration: Registration): Promise<void> {
    await page.route('**/api/v1/session', async (route) => {
        if (route.request().method() !== 'GET') return route.continue();
        const answer = await route.fetch();
        await route.fulfill({ response: answer, json: { ...((await answer.json()) as object), registration } });
    });
}

async function fill(page: Page, handle: string, password: string): Promise<void> {
    await page.getByLabel('Handle').fill(handle);
    await page.getByLabel('Password', { exact: true }).fill(password);
}

describe('the sign-up page', () => {
    test.each([
        ['open', 'The handle is the name of your team on every board.'],
        ['invitation', 'An account on this server needs an invitation'],
        ['closed', 'Accounts on this server are opened by its operator only'],
    ] as const)('says who may open an account: %s', async (registration, words) => {
        const ida = await visitor();
        await pretendRegistration(ida.page, registration);
        await ida.goto('/sign-up');
        await ida.page.getByText(words).waitFor();
        await expectAccessible(ida.page);
        await ida.leave();
    });

    test('hands the invitation of its address on, also by way of the sign-in page, and opens the account', async () => {
        const ida = await visitor();
        const { page } = ida;
        await pretendRegistration(page, 'invitation');
        const sent: NewUser[] = [];
        await page.route('**/api/v1/users', async (route) => {
            const { invitation, ...rest } = route.request().postDataJSON() as NewUser;
            sent.push({ invitation, ...rest });
            // This server is open and has no such invitation.
            await route.continue({ postData: JSON.stringify(rest) });
        });
        await ida.goto('/sign-up?invitation=only-once');
        await page.getByText('The handle is the name of your team').waitFor();
        await page.getByRole('main').getByRole('link', { name: 'Sign in' }).click();
        await page.getByRole('link', { name: 'Sign up' }).click();
        // The sign-in page has fields of the same names.
        await page.getByRole('heading', { name: 'Sign up' }).waitFor();
        await fill(page, 'invited-ida', 'violin under the lake');
        await page.getByRole('button', { name: 'Create account' }).click();
        await page.waitForURL('**/account');
        await page.getByRole('link', { name: 'Account of invited-ida' }).waitFor();
        expect(sent).toEqual([{ handle: 'invited-ida', password: 'violin under the lake', invitation: 'only-once' }]);
        await ida.leave();
    });

    test('tells that an invitation is used up, by what the server says', async () => {
        const ida = await visitor();
        const { page } = ida;
        ida.expectTrouble(/403/);
        await ida.goto('/sign-up?invitation=long-gone');
        await fill(page, 'uninvited', 'violin under the lake');
        await page.getByRole('button', { name: 'Create account' }).click();
        await page.getByRole('alert').getByText('this invitation is used up or has run out', { exact: false }).waitFor();
        await expectAccessible(page);
        await ida.leave();
    });

    test('measures a password, and refuses those that are short and those that are guessed first', async () => {
        const ida = await visitor();
        const { page } = ida;
        ida.expectTrouble(/422/);
        await ida.goto('/sign-up');
        const meter = page.getByRole('meter', { name: 'Length of the password' });
        expect(await meter.count()).toBe(0);
        await fill(page, 'guessed', 'ninechars');
        expect(await meter.evaluate((element) => (element as HTMLMeterElement).value)).toBe(9 / 16);
        await page.getByText('9 characters', { exact: true }).waitFor();
        await page.getByRole('button', { name: 'Create account' }).click();
        await page.getByText('At least 10 characters.', { exact: true }).waitFor();
        await expectAccessible(page);
        await fill(page, 'guessed', 'passwordpassword');
        await page.getByText('Long enough; the server refuses what is guessed first.').waitFor();
        await page.getByRole('button', { name: 'Create account' }).click();
        await page.getByRole('alert').getByText('among the first that are guessed', { exact: false }).waitFor();
        await expectAccessible(page);
        await ida.leave();
    });
});
