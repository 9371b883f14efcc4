import java.util.Scanner;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.services.sts.StsClient;

/** Asks AWS who it is, once for each line on stdin: with one client, as a service does. */
final class Program {
    public static void main(String[] arguments) {
        StsClient client = StsClient.create();
        for (Scanner lines = new Scanner(System.in); lines.hasNextLine(); ) {
            lines.nextLine();
            System.out.println(call(client));
        }
    }

    private static String call(StsClient client) {
        try {
            return "{\"arn\": \"%s\"}".formatted(client.getCallerIdentity().arn());
        } catch (RuntimeException error) {
            String code = error instanceof AwsServiceException refused
                    ? refused.awsErrorDetails().errorCode()
                    : error.getClass().getSimpleName();
            return "{\"error\": \"%s\"}".formatted(code);
        }
    }
}
