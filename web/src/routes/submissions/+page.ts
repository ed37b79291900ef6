import { redirect } from '@sveltejs/kit';

// One's own are listed in the account.
export const load = (): never => redirect(307, '/account');
