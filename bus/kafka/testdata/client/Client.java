import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Somebody else's program, on Kafka's own client: it reads so many events and
 * prints them, writes two commands, and says where its keys lie.
 *
 * <p>Arguments: the broker, the events' topic, the commands' topic, how many
 * events, then keys.
 */
public final class Client {
  public static void main(String[] args) throws Exception {
    String broker = args[0], events = args[1], commands = args[2];
    int count = Integer.parseInt(args[3]);
    read(broker, events, count);
    Properties p = new Properties();
    p.put("bootstrap.servers", broker);
    p.put("acks", "all");
    try (KafkaProducer<byte[], byte[]> out = new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer())) {
      ProducerRecord<byte[], byte[]> binary = new ProducerRecord<>(commands, bytes("account/机器人"), bytes("{\"text\":\"早上好\"}"));
      for (Map.Entry<String, String> h : Map.of(
              "ce_specversion", "1.0", "ce_id", "java-binary", "ce_source", "/java",
              "ce_type", "io.timbridge.command.message.send.v1", "ce_subject", "group/早",
              "ce_timaccount", "机器人", "content-type", "application/json").entrySet()) {
        binary.headers().add(h.getKey(), bytes(h.getValue()));
      }
      written("binary", out.send(binary).get());
      ProducerRecord<byte[], byte[]> structured = new ProducerRecord<>(commands, bytes("account/bot"),
          bytes("{\"specversion\":\"1.0\",\"id\":\"java-structured\",\"source\":\"/java\","
              + "\"type\":\"io.timbridge.command.message.send.v1\",\"timaccount\":\"bot\","
              + "\"datacontenttype\":\"application/json\",\"data\":{\"text\":\"早上好\"}}"));
      structured.headers().add("content-type", bytes("application/cloudevents+json; charset=UTF-8"));
      written("structured", out.send(structured).get());
      for (int i = 4; i < args.length; i++) {

        written(args[i], out.send(new ProducerRecord<>("keys", bytes(args[i]), bytes(""))).get());
      }
    }
  }

  static void read(String broker, String topic, int count) {
    Properties p = new Properties();
    p.put("bootstrap.servers", broker);
    p.put("isolation.level", "read_committed");
    try (KafkaConsumer<byte[], byte[]> in = new KafkaConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> all = new ArrayList<>();
      in.partitionsFor(topic).forEach(i -> all.add(new TopicPartition(topic, i.partition())));
      in.assign(all);
      in.seekToBeginning(all);
      for (int n = 0; n < count; ) {
        for (ConsumerRecord<byte[], byte[]> r : in.poll(Duration.ofSeconds(1))) {
          StringBuilder line = new StringBuilder("event\t").append(r.partition()).append('\t').append(text(r.key())).append('\t').append(text(r.value()));
          for (Header h : r.headers()) {
            line.append('\t').append(h.key()).append('=').append(text(h.value()));
          }
          System.out.println(line);
          n++;
        }
      }
    }
  }

  static void written(String what, RecordMetadata m) {
    System.out.println("written\t" + what + "\t" + m.partition() + "\t" + m.offset());
  }

  static byte[] bytes(String s) {
    return s.getBytes(StandardCharsets.UTF_8);
  }

  static String text(byte[] b) {
    return new String(b, StandardCharsets.UTF_8);
  }
}
