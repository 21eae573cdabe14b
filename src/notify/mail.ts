import { createHash } from 'node:crypto';
import type { MailConfig } from '../config/notify-config.ts';
import { keyText, linesOf, titleOf } from './alert.ts';
import { alertFailed, type Notifier } from './notifier.ts';

/** An error as nodemailer makes it. */
interface SmtpError extends Error {
  readonly code?: string;
  readonly responseCode?: number;
}

const SUBJECT_CHARACTERS = 200;

/** Mails each alert through a relay. Those of one problem belong to one thread. */
export function createMail({ host, port, security, login, from, to }: MailConfig): Notifier {
  const name = 'mail';
  return {
    name,
    async send(alert, signal) {
      // Loaded when there is something to send: it would be a quarter of the start of every command.
      const { createTransport } = await import('nodemailer');
      // One transport a mail: there are few of them, and nothing stays open between.
      const transport = createTransport({
        ...{ host, port, secure: security === 'tls', requireTLS: security === 'starttls', ignoreTLS: security === 'none' },
        ...(login && { auth: { user: login.user, pass: login.password } }),
      });
      try {
        const domain = from.replace(/^.*@/, '').replace(/[^\w.-].*$/, '') || 'localhost';
        const info = await transport.sendMail({
          ...{ from, to: [...to], signal },
          subject: titleOf(alert).replace(/\s+/g, ' ').slice(0, SUBJECT_CHARACTERS),
          text: `${linesOf(alert).join('\n')}\n`,
          messageId: `<${digest(alert.id)}@${domain}>`,
          references: `<${digest(`${keyText(alert)} ${alert.since}`)}@${domain}>`,
          headers: { 'Auto-Submitted': 'auto-generated', ...(alert.severity === 'critical' && { Importance: 'high' }) },
          // Nothing in an alert may make the mailer read a file or an address.
          disableFileAccess: true,
          disableUrlAccess: true,
        });
        if (info.rejected.length > 0) throw refused(host, info.rejected.map(String));
      } catch (error) {
        signal.throwIfAborted();
        throw classified(`${name} (${host})`, error as SmtpError);
      } finally {
        transport.close();
      }
    },
  };
}

function refused(host: string, recipients: readonly string[]): Error {
  return alertFailed(`mail (${host})`, `it refuses ${recipients.join(', ')}; the others have it`, {
    retryable: false,
    hint: 'Correct BACKUP_MAIL_TO.',
  });
}

function classified(to: string, error: SmtpError): Error {
  const { code = '', responseCode = 0, message } = error;
  if (code === 'ALERT_FAILED') return error;
  if (code === 'EAUTH') {
    const hint = 'Check BACKUP_SMTP_USER and BACKUP_SMTP_PASSWORD.';
    // The server's answer may repeat what was sent.
    return alertFailed(to, `it refuses the login (${responseCode})`, { cause: error, retryable: responseCode < 500, hint });
  }
  if (code === 'ETLS' || /certificate|altname|STARTTLS/i.test(message)) {
    const hint = 'Check BACKUP_SMTP_SECURITY and the certificate; NODE_EXTRA_CA_CERTS names an authority of your own.';
    return alertFailed(to, message, { cause: error, retryable: false, hint });
  }
  // 5xx is final, 4xx is for now: https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1
  return alertFailed(to, message, { cause: error, retryable: responseCode < 500 });
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
